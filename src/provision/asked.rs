//! Checks a nats-server's version by running it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use super::source::Source;
use super::version::Version;
use crate::process::clean;

/// How long `nats-server --version` may take; it takes 5 ms.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// A nats-server that has been checked: it ran, and its version will do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsServer {
    /// The program.
    pub path: PathBuf,
    /// What it said its version is.
    pub version: Version,
    /// Where it was found.
    pub source: Source,
}

impl NatsServer {
    /// One that was checked before; `None` if its version will not do.
    pub(super) fn known(
        path: &Path,
        version: &str,
        source: Source,
        oldest: &Version,
    ) -> Option<NatsServer> {
        let version: Version = version.parse().ok()?;
        let will_do = version.is_at_least(oldest);
        will_do.then(|| NatsServer { path: path.to_owned(), version, source })
    }
}

/// Runs `PATH --version` and makes sure that the version will do.
pub(super) async fn check(
    path: &Path,
    source: Source,
    oldest: &Version,
) -> Result<NatsServer, ProvisionError> {
    let not_runnable =
        |e| ProvisionError::NotRunnable { path: path.to_owned(), named_by: source, source: e };
    let not_a_server =
        |problem| ProvisionError::NotAServer { path: path.to_owned(), named_by: source, problem };
    // Absolute, so that neither PATH nor a later change of folder makes it another program.
    let path = &std::path::absolute(path).map_err(not_runnable)?;
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_TIMEOUT, command.output())
        .await
        .map_err(|_| not_a_server(format!("did not end within {VERSION_TIMEOUT:?}")))?
        .map_err(not_runnable)?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        return Err(not_a_server(format!(
            "ended with {status} and printed `{}`",
            excerpt(&format!("{said}{stderr}"))
        )));
    }
    let version = Version::from_output(&said)
        .ok_or_else(|| not_a_server(format!("printed `{}`", excerpt(&said))))?;
    if !version.is_at_least(oldest) {
        return Err(ProvisionError::TooOld {
            path: path.clone(),
            named_by: source,
            found: version,
            oldest: Box::new(oldest.clone()),
        });
    }
    Ok(NatsServer { path: path.clone(), version, source })
}

fn excerpt(text: &str) -> String {
    clean(text.trim().lines().next().unwrap_or_default()).chars().take(200).collect()
}
