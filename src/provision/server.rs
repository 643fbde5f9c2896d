//! Finds a nats-server that will do: named, on `PATH`, or the managed copy.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::checked::check_once;
use super::error::ProvisionError;
use super::managed;
use super::settings::{Progress, Settings};
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
    pub(super) fn known(path: &Path, version: &str, source: Source) -> Option<NatsServer> {
        let version: Version = version.parse().ok()?;
        version.will_do().then(|| NatsServer { path: path.to_owned(), version, source })
    }
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Named by `--nats-server`.
    Explicit,
    /// Named by `MONO_DEMO_NATS_SERVER`.
    Env,
    /// Found on `PATH`.
    Path,
    /// The managed copy in the cache folder.
    Managed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Explicit => "--nats-server",
            Source::Env => "MONO_DEMO_NATS_SERVER",
            Source::Path => "PATH",
            Source::Managed => "managed copy",
        })
    }
}

/// Finds a nats-server, and installs the managed copy if there is none.
///
/// # Errors
/// If one was named and will not do, or if installing fails or is forbidden.
pub async fn nats_server(
    settings: &Settings,
    progress: &Progress<'_>,
) -> Result<NatsServer, ProvisionError> {
    let found = find_nats_server(settings).await?;
    if let Some(server) = found.server {
        return Ok(server);
    }
    for note in &found.notes {
        progress(note);
    }
    if settings.offline {
        return Err(ProvisionError::Offline {
            what: format!("nats-server {} or newer", Version::OLDEST),
            notes: found.notes,
        });
    }
    managed::install(settings, progress).await
}

/// What a look without installing found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The one that would be used.
    pub server: Option<NatsServer>,
    /// What was found and passed over, and why: one line each.
    pub notes: Vec<String>,
}

/// Looks for a nats-server, installs nothing.
///
/// # Errors
/// If one was named and will not do, or if the managed copy is not what was installed.
pub async fn find_nats_server(settings: &Settings) -> Result<Found, ProvisionError> {
    let named = [(&settings.explicit, Source::Explicit), (&settings.env, Source::Env)];
    for (path, source) in named {
        if let Some(path) = path {
            return Ok(Found {
                server: Some(check_once(settings, path, source).await?),
                notes: Vec::new(),
            });
        }
    }
    let mut notes = Vec::new();
    if let Some(path) = &settings.path {
        // Every one on PATH, since one that will do may come after one that will not.
        // A relative entry of PATH means another folder to each process: such are passed over.
        let cwd = "/";
        let all = which::which_in_all("nats-server", Some(path), cwd);
        for path in all.into_iter().flatten() {
            match check_once(settings, &path, Source::Path).await {
                Ok(server) => {
                    return Ok(Found { server: Some(server), notes });
                }
                Err(problem) => notes.push(format!("passed over: {problem}")),
            }
        }
    }
    let server = managed::find(settings).await?;
    if server.is_none() && managed::folder_in(&settings.cache_dir).exists() {
        let folder = managed::folder_in(&settings.cache_dir);
        notes.push(format!("passed over: {} is no whole installation", folder.display()));
    }
    Ok(Found { server, notes })
}

/// Runs `PATH --version` and makes sure that the version will do.
pub(super) async fn check(path: &Path, source: Source) -> Result<NatsServer, ProvisionError> {
    let not_runnable = |e| ProvisionError::NotRunnable {
        path: path.to_owned(),
        named_by: source.to_string(),
        source: e,
    };
    let not_a_server = |problem| ProvisionError::NotAServer {
        path: path.to_owned(),
        named_by: source.to_string(),
        problem,
    };
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
    if !version.will_do() {
        return Err(ProvisionError::TooOld {
            path: path.clone(),
            named_by: source.to_string(),
            found: version,
        });
    }
    Ok(NatsServer { path: path.clone(), version, source })
}

fn excerpt(text: &str) -> String {
    clean(text.trim().lines().next().unwrap_or_default()).chars().take(200).collect()
}
