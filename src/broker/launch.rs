//! From a config file to a server that has been proved ready.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config;
use super::error::StartError;
use super::included;
use super::place::Place;
use super::reached::Reached;
use super::ready::{self, Deaf, Listening};
use super::settings::Port;
use crate::given::{in_background, read_given_text};
use crate::process::{Child, Spawn};

/// How long to wait for the rest of a log whose server has ended.
const DRAIN_PATIENCE: Duration = Duration::from_millis(500);

/// What becomes of the run folder where whoever starts a server gives up waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It goes with the server: nobody has used it yet.
    Removed,
    /// It stays: it is in use.
    Kept,
}

/// Starts a server and returns once it is ready, with its ports, and with what came of `beside`, which begins
/// as soon as the server listens. Where it does not get ready the run
/// folder stays: the caller decides.
///
/// One that is alone answers for JetStream too; a member of a cluster only for itself.
pub(super) async fn launch<F: Future>(
    place: &Place,
    port: Port,
    given_up: GivenUp,
    beside: impl FnOnce(Reached) -> F,
) -> Result<(Child, Listening, F::Output), StartError> {
    let mut unproved = Unproved { child: Some(spawn(place, port).await?), given_up };
    let proved = match &unproved.child {
        Some(child) => ready(place, port, child, beside).await,
        None => unreachable!("nobody else takes it"),
    };
    match (proved, unproved.child.take()) {
        (Ok((listening, beside)), Some(child)) => Ok((child, listening, beside)),
        (Err(problem), Some(child)) => {
            child.release().await;
            Err(problem)
        }
        (_, None) => unreachable!("nobody else takes it"),
    }
}

/// A server that is not ready yet. Given up, it is ended.
struct Unproved {
    child: Option<Child>,
    given_up: GivenUp,
}

impl Drop for Unproved {
    fn drop(&mut self) {
        if let Some(child) = self.child.take_if(|_| self.given_up == GivenUp::Kept) {
            // Its reaper removes nothing.
            tokio::spawn(child.release());
        }
    }
}

async fn spawn(place: &Place, port: Port) -> Result<Child, StartError> {
    let settings = &place.settings;
    if let Some(path) = &settings.include {
        check_include(path).await?;
    }
    let config = write_config(place, port)?;
    let mut spawn = Spawn::new("nats-server", &settings.server.path)
        .arg("-c")
        .arg(&config)
        .cwd(&place.run_dir)
        .remove_on_exit(&place.remove)
        .log(&place.log_path)
        .only_logged(is_trace);
    if let Some(owned) = &place.owned {
        spawn = spawn.hold_lock(owned.server_lock());
    }
    Child::spawn(&settings.reaper, spawn).await.map_err(|e| match (e, &place.owned) {
        (crate::process::SpawnError::Locked { .. }, Some(owned)) => {
            StartError::StoreInUse { store: owned.folder().to_owned(), by: None }
        }
        (e, _) => e.into(),
    })
}

/// Returns once it is ready, with its ports.
async fn ready<F: Future>(
    place: &Place,
    port: Port,
    child: &Child,
    beside: impl FnOnce(Reached) -> F,
) -> Result<(Listening, F::Output), StartError> {
    let settings = &place.settings;
    let mut waiting_for = "waiting for it to listen".to_owned();
    let proof = prove(place, port, child, &mut waiting_for, beside);
    match tokio::time::timeout(settings.ready_timeout, proof).await {
        Ok(proved) => proved,
        Err(_) => Err(StartError::NotReady {
            after: settings.ready_timeout,
            waiting_for,
            tail: child.tail(),
            log_path: settings.log.clone(),
        }),
    }
}

/// What a server logs of each message where the settings have it traced: far too much for a tail.
fn is_trace(line: &[u8]) -> bool {
    line.windows(7).take(64).any(|at| at == b" [TRC] ")
}

async fn prove<F: Future>(
    place: &Place,
    asked: Port,
    child: &Child,
    waiting_for: &mut String,
    beside: impl FnOnce(Reached) -> F,
) -> Result<(Listening, F::Output), StartError> {
    let routes = place.member.as_ref().map(|member| member.port);
    let mut lines = child.stderr_lines();
    let listening = match ready::listening(&mut lines, routes.is_some()).await {
        Ok(listening) => listening,
        Err(Deaf::PortTaken(port)) if asked == Port::Fixed(port) || routes == Some(port) => {
            return Err(StartError::PortInUse { port });
        }
        Err(Deaf::PortTaken(_) | Deaf::Silence) => return Err(early_exit(place, child).await),
    };
    let own = place.divided.as_ref().and_then(|divided| divided.own());
    let proved = async {
        let answers = ready::answering(place, listening.clients, own, waiting_for);
        tokio::join!(answers, beside(Reached::new(place, listening.clients)))
    };
    tokio::select! {
        (answers, beside) = proved => match answers {
            Ok(()) => Ok((listening, beside)),
            Err(trouble) => Err(StartError::Certificate { trouble }),
        },
        _ = child.wait() => Err(early_exit(place, child).await),
    }
}

async fn early_exit(place: &Place, child: &Child) -> StartError {
    let status = child.wait().await;
    // The tail is whole once the pipe is closed; somebody who inherited it may keep it open.
    let _ = tokio::time::timeout(DRAIN_PATIENCE, child.drained()).await;
    StartError::EarlyExit { status, tail: child.tail(), log_path: place.settings.log.clone() }
}

/// Refuses a file to be included that undoes settings of this program.
async fn check_include(path: &Path) -> Result<(), StartError> {
    let path = path.to_owned();
    match in_background(&path, read_given_text).await {
        Ok(text) => match included::first_reserved(&text) {
            Some((line, key)) => Err(StartError::Overrides { path, line, key }),
            None => Ok(()),
        },
        Err(source) => Err(StartError::Include { path, source }),
    }
}

pub(super) fn write_config(place: &Place, port: Port) -> Result<PathBuf, StartError> {
    let path = place.run_dir.join("nats.conf");
    let text = config::text(place, port);
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
