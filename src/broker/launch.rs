//! From a config file to a server that has been proved ready.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config;
use super::error::StartError;
use super::ready::{self, Heard};
use super::settings::{Port, Settings};
use super::store::OwnedStore;
use crate::process::{Child, Spawn};

/// How long to wait for the rest of a log whose server has ended.
const DRAIN_PATIENCE: Duration = Duration::from_millis(500);

/// What a broker has for as long as it lives, whichever server serves it just now.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) settings: Settings,
    /// A nonce, so that a server that is not ours is never taken for ours.
    pub(super) name: String,
    pub(super) run_dir: PathBuf,
    pub(super) store_dir: PathBuf,
    pub(super) log_path: PathBuf,
    pub(super) owned: Option<OwnedStore>,
}

/// Starts a server and returns once it is ready, with its port.
pub(super) async fn launch(place: &Place, port: Port) -> Result<(Child, u16), StartError> {
    let settings = &place.settings;
    let config = write_config(place, port)?;
    let mut spawn = Spawn::new("nats-server", &settings.server.path)
        .arg("-c")
        .arg(&config)
        .cwd(&place.run_dir)
        .remove_on_exit(&place.run_dir)
        .log(&place.log_path);
    if let Some(owned) = &place.owned {
        spawn = spawn.hold_lock(owned.server_lock());
    }
    let child = Child::spawn(&settings.reaper, spawn).await;
    let child = child.map_err(|e| match (e, &place.owned) {
        (crate::process::SpawnError::Locked { .. }, Some(owned)) => {
            StartError::StoreInUse { store: owned.folder().to_owned() }
        }
        (e, _) => e.into(),
    })?;
    let mut waiting_for = "waiting for it to listen".to_owned();
    let proof = prove(place, port, &child, &mut waiting_for);
    let proved = tokio::time::timeout(settings.ready_timeout, proof).await;
    let problem = match proved {
        Ok(Ok(port)) => return Ok((child, port)),
        Ok(Err(problem)) => problem,
        Err(_) => StartError::NotReady {
            after: settings.ready_timeout,
            waiting_for,
            tail: child.tail(),
            log_path: settings.log.clone(),
        },
    };
    // The run folder stays: the caller decides, at a restart it is still in use.
    child.release().await;
    Err(problem)
}

async fn prove(
    place: &Place,
    asked: Port,
    child: &Child,
    waiting_for: &mut String,
) -> Result<u16, StartError> {
    let port = match (ready::listening(&mut child.stderr_lines()).await, asked) {
        (Heard::Listening(port), _) => port,
        (Heard::AddressInUse, Port::Fixed(port)) => return Err(StartError::PortInUse { port }),
        (Heard::AddressInUse | Heard::Silence, _) => return Err(early_exit(place, child).await),
    };
    let auth = place.settings.auth.as_ref();
    tokio::select! {
        () = ready::answering(port, &place.name, auth, waiting_for) => Ok(port),
        _ = child.wait() => Err(early_exit(place, child).await),
    }
}

async fn early_exit(place: &Place, child: &Child) -> StartError {
    let status = child.wait().await;
    // The tail is whole once the pipe is closed; somebody who inherited it may keep it open.
    let _ = tokio::time::timeout(DRAIN_PATIENCE, child.drained()).await;
    StartError::EarlyExit { status, tail: child.tail(), log_path: place.settings.log.clone() }
}

fn write_config(place: &Place, port: Port) -> Result<PathBuf, StartError> {
    let path = place.run_dir.join("nats.conf");
    let text = config::text(&place.settings, &place.name, port, &place.store_dir);
    // It may hold a password: nobody else may read it, not even for a moment.
    std::fs::File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| StartError::Prepare {
            what: "the config file",
            path: path.clone(),
            source,
        })?;
    Ok(path)
}

/// Makes a folder that only we can enter.
pub(super) fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}
