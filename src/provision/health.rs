//! Checks whether installed programs still run, for `doctor`; a run finds out by failing.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::asked::{NatsServer, check};
use super::env::PythonEnv;
use super::error::ProvisionError;
use super::source::Source;
use super::step::run;

/// Importing takes a tenth of a second.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs a nats-server once more: one that was checked before may have lost its mode since, or lie where
/// nothing may be run.
///
/// # Errors
/// What happened, and what to remove.
pub async fn server_runs(server: &NatsServer) -> Result<(), ProvisionError> {
    // Its version was found to do, for what it is used.
    let error = match check(&server.path, server.source, &server.version).await {
        Ok(_) => return Ok(()),
        Err(error) if server.source == Source::Managed => error,
        Err(error) => return Err(error),
    };
    let problem: &dyn Display = match &error {
        ProvisionError::NotRunnable { source, .. } => source,
        ProvisionError::NotAServer { problem, .. } => problem,
        other => other,
    };
    Err(broken(&server.path, folder_of(&server.path), problem))
}

/// Imports the client library: of a Python environment only the owner and mode are checked otherwise.
///
/// # Errors
/// What Python said, and what to remove.
pub async fn python_env_runs(env: &PythonEnv) -> Result<(), ProvisionError> {
    let mut command = Command::new(&env.python);
    command.args(["-I", "-c", "import nats"]).current_dir("/");
    let folder = folder_of(folder_of(&env.python));
    match run(&mut command, QUESTION_TIMEOUT).await {
        Ok(_) => Ok(()),
        Err(problem) => {
            let last = problem.lines().last().unwrap_or_default();
            Err(broken(&env.python, folder, &format!("`import nats`: {last}")))
        }
    }
}

fn broken(path: &Path, remove: &Path, problem: &dyn Display) -> ProvisionError {
    let (path, remove) = (path.to_owned(), remove.to_owned());
    ProvisionError::Broken { path, remove, problem: problem.to_string() }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
