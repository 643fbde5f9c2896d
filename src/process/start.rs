//! Starts a reaper, and through it a program; returns once the reaper has said that the program runs.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use super::attendant::Attendant;
use super::channel::{first_report, release};
use super::control::Report;
use super::error::SpawnError;
use super::spawn::{Reaper, Spawn};
use super::subcommand::SUBCOMMAND;

/// How long a reaper may take to start its program; it needs a few milliseconds.
const REAPER_TIMEOUT: Duration = Duration::from_secs(20);

/// A program that runs, below its reaper.
pub(super) struct Started {
    pub(super) pid: u32,
    /// What the reaper says from now on.
    pub(super) reports: BufReader<OwnedReadHalf>,
    /// Dropping it ends the program.
    pub(super) requests: OwnedWriteHalf,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    pub(super) reaper: Attendant,
}

/// The file that stderr is appended to, where there is to be one.
///
/// # Errors
/// [`SpawnError::Prepare`] where it cannot be opened or made.
pub(super) fn log_file(spawn: &Spawn) -> Result<Option<File>, SpawnError> {
    let open = |path| File::options().create(true).append(true).mode(0o600).open(path);
    let log = spawn.log.as_deref();
    log.map(|path| open(path).map_err(prepare(spawn, "the log file", path))).transpose()
}

/// Starts the reaper and waits for its first report.
///
/// # Errors
/// Where the reaper or the program does not start; nothing is left running then.
pub(super) async fn start(reaper: &Reaper, spawn: &Spawn) -> Result<Started, SpawnError> {
    let place = reaper.socket_place();
    // Only we can enter the folder, so only our reaper can find the socket.
    let folder = reaper.private_folder(place, "md-").map_err(prepare(
        spawn,
        "a private folder in",
        place,
    ))?;
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).map_err(prepare(spawn, "the socket", &socket))?;

    let mut process = command(reaper, spawn, &socket).spawn().map_err(|source| {
        SpawnError::Reaper { name: spawn.name.clone(), exe: reaper.exe().to_owned(), source }
    })?;
    let stdin = process.stdin.take();
    let (stdout, mut stderr) = (process.stdout.take(), process.stderr.take());
    let attendant = Attendant::new(process, &format!("the reaper of {}", spawn.name));
    let first_report = first_report(&listener, &attendant, &mut stderr);
    let first_report = tokio::time::timeout(REAPER_TIMEOUT, first_report);
    let failed = |problem| SpawnError::ReaperFailed {
        name: spawn.name.clone(),
        exe: reaper.exe().to_owned(),
        problem,
    };
    match first_report.await {
        Ok(Ok((reports, requests, Report::Started { pid }))) => {
            Ok(Started { pid, reports, requests, stdin, stdout, stderr, reaper: attendant })
        }
        Ok(Ok((_, requests, Report::NotStarted { errno }))) => {
            release(requests).await;
            Err(SpawnError::Program {
                source: why_not_started(spawn, errno),
                name: spawn.name.clone(),
                program: spawn.program.clone(),
            })
        }
        Ok(Ok((_, requests, Report::Locked))) => {
            release(requests).await;
            let path = spawn.hold_lock.clone().unwrap_or_default();
            Err(SpawnError::Locked { name: spawn.name.clone(), path })
        }
        Ok(Ok((_, _, other))) => Err(failed(format!("said `{}` first", other.to_string().trim()))),
        Ok(Err(problem)) => Err(failed(problem)),
        Err(_) => {
            attendant.kill();
            Err(failed(format!("did not answer within {REAPER_TIMEOUT:?} and is killed")))
        }
    }
}

/// The reaper's own command line: where to report, then what to start.
fn command(reaper: &Reaper, spawn: &Spawn, socket: &Path) -> Command {
    let mut command = Command::new(reaper.exe());
    // The name that `ps` shows.
    command.arg0("mono-demo");
    command.arg(SUBCOMMAND).arg("--socket").arg(socket);
    for folder in &spawn.remove_on_exit {
        command.arg("--remove").arg(folder);
    }
    if let Some(cwd) = &spawn.cwd {
        command.arg("--cwd").arg(cwd);
    }
    if let Some(lock) = &spawn.hold_lock {
        command.arg("--lock").arg(lock);
    }
    command.arg("--").arg(&spawn.program).args(&spawn.args);
    for name in &spawn.env_remove {
        command.env_remove(name);
    }
    command.envs(spawn.env.iter().map(|(name, value)| (name, value)));
    // A process group of its own: Ctrl-C in the terminal must not end the reaper before us.
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn prepare(spawn: &Spawn, what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpawnError {
    let (name, path) = (spawn.name.clone(), path.to_owned());
    move |source| SpawnError::Prepare { name, what, path, source }
}

/// The same error whether the program or the working folder is missing: say which.
fn why_not_started(spawn: &Spawn, errno: i32) -> io::Error {
    let source = if errno == 0 {
        io::Error::other("unknown error")
    } else {
        io::Error::from_raw_os_error(errno)
    };
    match &spawn.cwd {
        Some(cwd) if !cwd.is_dir() => io::Error::new(
            source.kind(),
            format!("{source} (its working folder {} is missing)", cwd.display()),
        ),
        _ => source,
    }
}
