//! Finds a nats-server that will do: named, installed with this program, on `PATH`, or the
//! managed copy.

use super::asked::NatsServer;
use super::beside;
use super::checked::check_once;
use super::error::ProvisionError;
use super::managed;
use super::pinned::Pinned;
use super::settings::{Progress, Settings};
use super::source::Source;
use super::version::Version;

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
    managed::install(settings, Pinned::newest(), progress).await
}

/// Finds just this version, and installs it if it is not there.
///
/// # Errors
/// If installing fails or is forbidden.
pub async fn nats_server_of(
    pinned: &Pinned,
    settings: &Settings,
    progress: &Progress<'_>,
) -> Result<NatsServer, ProvisionError> {
    let unnamed = Settings { explicit: None, env: None, ..settings.clone() };
    let usual = find_nats_server(&unnamed).await?.server;
    if let Some(server) = usual.filter(|server| server.version.to_string() == pinned.version) {
        return Ok(server);
    }
    if let Some(server) = managed::find(settings, pinned).await? {
        return Ok(server);
    }
    if settings.offline {
        let what = format!("nats-server {pinned}");
        return Err(ProvisionError::Offline { what, notes: Vec::new() });
    }
    managed::install(settings, pinned, progress).await
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
    for path in beside::nats_servers(settings) {
        match check_once(settings, &path, Source::Beside).await {
            Ok(server) => return Ok(Found { server: Some(server), notes }),
            Err(problem) => notes.push(format!("passed over: {problem}")),
        }
    }
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
    let server = managed::find(settings, Pinned::newest()).await?;
    if server.is_none() && managed::folder_in(&settings.cache_dir, Pinned::newest()).exists() {
        let folder = managed::folder_in(&settings.cache_dir, Pinned::newest());
        notes.push(format!("passed over: {} is no whole installation", folder.display()));
    }
    Ok(Found { server, notes })
}
