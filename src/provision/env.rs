//! The Python environment: build it once, find it again without running Python.
//!
//! An environment cannot be moved (its scripts name their interpreter by path), so it is built where
//! it stays. It counts only once its marker is written, which is the last thing that happens.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::beside;
use super::cache::{Locked, check_all_private, problem, read_json, sha256_of, write_json};
use super::error::ProvisionError;
use super::python::{self, Interpreter, venv_python};
use super::settings::{Progress, Settings};
use super::source::Source;

const MARKER: &str = "mono-demo.json";
const WHAT: &str = "the Python environment";

/// A Python environment with the pinned packages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonEnv {
    /// Its interpreter.
    pub python: PathBuf,
    /// Its Python's version, `3.11.7`.
    pub version: String,
    /// Its nats-py's version, `2.16.0`.
    pub nats_py: String,
    /// The interpreter it was built from.
    pub base: PathBuf,
    /// Where it was found: [`Source::Beside`] or [`Source::Managed`].
    pub source: Source,
}

/// Says that an environment is whole, and for whom it was built.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    requirements_sha256: String,
    version: String,
    nats_py: String,
    /// The programs that turned out to be its interpreter: found again, they need not be run.
    asked: Vec<PathBuf>,
    base: PathBuf,
    base_stamp: BaseStamp,
}

/// What tells an interpreter from its next release; the same file in another container is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BaseStamp {
    size: u64,
    modified_s: i64,
}

impl BaseStamp {
    fn of(path: &Path) -> std::io::Result<BaseStamp> {
        let file = std::fs::metadata(path)?;
        Ok(BaseStamp { size: file.size(), modified_s: file.mtime() })
    }
}

impl Marker {
    /// Whether the interpreter that it was built from is still the same file.
    fn base_is_there(&self) -> bool {
        BaseStamp::of(&self.base).is_ok_and(|stamp| stamp == self.base_stamp)
    }

    fn env(self, folder: &Path) -> PythonEnv {
        PythonEnv {
            python: venv_python(folder),
            version: self.version,
            nats_py: self.nats_py,
            base: self.base,
            source: Source::Managed,
        }
    }
}

/// Finds the environment with exactly these requirements, and builds it if there is none.
///
/// `requirements` is the text of a requirements file with hashes.
///
/// # Errors
/// If there is no Python that will do, or if building fails or is forbidden.
pub async fn python_env(
    settings: &Settings,
    requirements: &str,
    progress: &Progress<'_>,
) -> Result<PythonEnv, ProvisionError> {
    if let Some(env) = find_python_env(settings, requirements).await? {
        return Ok(env);
    }
    let wheels = beside::wheels(settings, requirements);
    if settings.offline && wheels.is_none() {
        return Err(ProvisionError::Offline {
            what: "Python environment for these requirements".to_owned(),
            notes: Vec::new(),
        });
    }
    let interpreter = python::probe(&python::locate(settings)?).await?;
    let cache = Locked::take(&settings.cache_dir, progress).await?;
    remove_leftovers(cache.folder());
    let folder = folder_for(cache.folder(), requirements, &interpreter);
    if let Some(mut marker) = whole(&folder, requirements) {
        check_all_private(&folder).await?;
        // Built by another run while we waited, or found through another name of the same Python.
        if !marker.asked.contains(&interpreter.program) {
            marker.asked.push(interpreter.program);
            write_json(&folder.join(MARKER), &marker)?;
        }
        return Ok(marker.env(&folder));
    }
    progress(&format!(
        "building a Python {} environment in {} (once)",
        interpreter.version,
        folder.display()
    ));
    remove(&folder)?;
    let built = build(&folder, requirements, wheels.as_deref(), interpreter).await;
    if built.is_err() {
        let _ = remove(&folder);
    }
    built
}

/// Looks for the environment, installs nothing and runs nothing.
///
/// # Errors
/// If the interpreter that was named does not exist, or if others could have written there.
pub async fn find_python_env(
    settings: &Settings,
    requirements: &str,
) -> Result<Option<PythonEnv>, ProvisionError> {
    if let Some(found) = beside::python(settings, requirements) {
        let base = found.program.canonicalize().map_err(problem("find", &found.program))?;
        let beside::Python { program: python, version, nats_py } = found;
        return Ok(Some(PythonEnv { python, version, nats_py, base, source: Source::Beside }));
    }
    let program = match python::locate(settings) {
        Ok(program) => program,
        Err(problem) if settings.python.is_some() => return Err(problem),
        Err(_) => return Ok(None),
    };
    for folder in env_folders(&settings.cache_dir) {
        if let Some(marker) = whole(&folder, requirements)
            && marker.asked.contains(&program)
        {
            check_all_private(&folder).await?;
            return Ok(Some(marker.env(&folder)));
        }
    }
    Ok(None)
}

fn folder_for(cache: &Path, requirements: &str, interpreter: &Interpreter) -> PathBuf {
    let key = sha256_of(&format!("{requirements}\n{}", interpreter.version));
    cache.join(format!("python-{}", &key[..16]))
}

fn env_folders(cache: &Path) -> Vec<PathBuf> {
    let Ok(cache) = cache.canonicalize() else {
        return Vec::new();
    };
    std::fs::read_dir(cache)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("python-")
        })
        .collect()
}

/// The marker of an environment that is whole and can still be used for these requirements.
fn whole(folder: &Path, requirements: &str) -> Option<Marker> {
    let marker: Marker = read_json(&folder.join(MARKER))?;
    let usable = marker.requirements_sha256 == sha256_of(requirements)
        && marker.base_is_there()
        && venv_python(folder).exists();
    usable.then_some(marker)
}

/// Removes environments without a marker: nobody else is building, so their run was killed.
fn remove_leftovers(cache: &Path) {
    for folder in env_folders(cache) {
        if !folder.join(MARKER).exists() {
            let _ = remove(&folder);
        }
    }
}

fn remove(folder: &Path) -> Result<(), ProvisionError> {
    // The marker first: a removal that is interrupted must not leave something that looks whole.
    let _ = std::fs::remove_file(folder.join(MARKER));
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(problem("remove", folder)(e)),
        _ => Ok(()),
    }
}

async fn build(
    folder: &Path,
    requirements: &str,
    wheels: Option<&Path>,
    interpreter: Interpreter,
) -> Result<PythonEnv, ProvisionError> {
    let cwd = folder.parent().unwrap_or(folder);
    let python = python::make_venv(&interpreter, folder, cwd).await?;
    let file = folder.join("requirements.txt");
    std::fs::write(&file, requirements).map_err(problem("write", &file))?;
    let install = "install --quiet --require-hashes --only-binary :all:";
    // What came with this program needs no network.
    let from: Vec<&OsStr> = match wheels {
        Some(wheels) => vec!["--no-index".as_ref(), "--find-links".as_ref(), wheels.as_os_str()],
        None => Vec::new(),
    };
    let file_args = ["-r".as_ref(), file.as_os_str()];
    let args = install.split(' ').map(AsRef::as_ref).chain(from).chain(file_args);
    python::pip(WHAT, &python, folder, args).await?;

    let question = "from importlib.metadata import version; print(version('nats-py'))";
    let none: [&str; 0] = [];
    let said = python::script(WHAT, &python, folder, question, none).await?;
    let base =
        interpreter.executable.canonicalize().map_err(problem("find", &interpreter.executable))?;
    let marker = Marker {
        requirements_sha256: sha256_of(requirements),
        version: interpreter.version,
        nats_py: String::from_utf8_lossy(&said).trim().to_owned(),
        asked: vec![interpreter.program],
        base_stamp: BaseStamp::of(&base).map_err(problem("look at", &base))?,
        base,
    };
    write_json(&folder.join(MARKER), &marker)?;
    Ok(marker.env(folder))
}
