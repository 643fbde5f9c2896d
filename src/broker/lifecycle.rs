//! The handle to one broker: start, kill, restart, pause, stop.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::accounts;
use super::divided::Divided;
use super::error::{StartError, StopError};
use super::launch::{GivenUp, launch};
use super::logins::{Credentials, Key, Logins};
use super::names::refuse_cluster;
use super::place::{Member, Place};
use super::ports::Placeholder;
use super::reached::{Reached, url_of};
use super::ready::Listening;
use super::roles::Role;
use super::settings::{Auth, Port, Settings, Store};
use super::store::{OwnedStore, check_streams, copy_streams};
use crate::process::{Child, ExitStatus, Lines, Reaper, Signal};

/// How long a server may take to end after SIGTERM; it takes 2 ms, and more with much to write.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long it may take in lame duck mode.
const LAME_DUCK: Duration = Duration::from_secs(60);

/// One nats-server with JetStream, ready when you have it.
///
/// [`stop`](Self::stop) is the orderly end. Dropping it, or dying, kills the server at once and
/// removes the run folder.
#[derive(Debug)]
pub struct Broker {
    pub(super) child: Child,
    pub(super) place: Place,
    listening: Listening,
    url: String,
    /// The port in its config file.
    pub(super) asked: Port,
    /// Held while the server is down.
    placeholder: Option<Placeholder>,
}

impl Broker {
    /// Starts a server and returns once it is ready: it listens on 127.0.0.1, a client is connected
    /// and sees the name we gave it, and JetStream answers.
    ///
    /// # Errors
    /// At once if the server ends early, with its last log lines; nothing is left behind.
    pub async fn start(settings: Settings) -> Result<Broker, StartError> {
        Ok(Self::start_beside(settings, nothing).await?.0)
    }

    /// The same, and what came of `beside`, which begins as soon as the server listens: whoever is to connect
    /// need not wait until it is proved. Where it is not, what came of that is dropped.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_beside<F: Future>(
        settings: Settings,
        beside: impl FnOnce(Reached) -> F,
    ) -> Result<(Broker, F::Output), StartError> {
        let run_dir = run_folder(&settings)?;
        let path = run_dir.path();
        let logins = logins(&settings)?;
        let name = nuid::next().to_string();
        let started = Self::start_in(path, path, name, settings, logins, None, beside).await?;
        // From here on the reaper removes it.
        let _ = run_dir.keep();
        Ok(started)
    }

    /// Starts a server called `name` in the folder `run_dir`; its reaper removes `remove`.
    pub(super) async fn start_in<F: Future>(
        run_dir: &Path,
        remove: &Path,
        name: String,
        settings: Settings,
        logins: Option<Logins>,
        member: Option<Member>,
        beside: impl FnOnce(Reached) -> F,
    ) -> Result<(Broker, F::Output), StartError> {
        let (store_dir, owned) = match &settings.store {
            Store::Folder(folder) => {
                // Taking it already changes a file; and what was made meanwhile is seen afterwards.
                if member.is_none() {
                    refuse_cluster(folder)?;
                }
                let owned = OwnedStore::take(folder)?;
                if member.is_none() {
                    refuse_cluster(owned.folder())?;
                }
                check_streams(owned.folder()).await?;
                (owned.folder().to_owned(), Some(owned))
            }
            Store::Temporary | Store::Nowhere => {
                let folder = run_dir.join("store");
                private_folder(&folder, "the store folder")?;
                (folder, None)
            }
            Store::CopyOf(original) => {
                let folder = run_dir.join("store");
                private_folder(&folder, "the store folder")?;
                copy_streams(original, &folder).await?;
                (folder, None)
            }
        };
        let roles = match &settings.auth {
            Some(Auth::Roles(roles)) => roles.shared.as_ref(),
            _ => None,
        };
        let in_account = roles.is_some() || settings.accounts.is_some();
        let account = if in_account { accounts::SERVICES } else { accounts::GLOBAL };
        accounts::house(&store_dir, account, member.is_some())?;
        let port = settings.port;
        let divided = Divided::begin(&settings)?;
        let place = Place {
            name,
            log_path: match &settings.log {
                Some(path) => path.clone(),
                None => run_dir.join("broker.log"),
            },
            run_dir: run_dir.to_owned(),
            remove: remove.to_owned(),
            store_dir,
            owned,
            settings,
            logins,
            divided,
            member,
        };
        let (child, listening, beside) = launch(&place, port, GivenUp::Removed, beside).await?;
        let url = url_of(listening.clients);
        if let Some(owned) = &place.owned {
            owned.say(Some(&url));
        }
        let broker = Broker { child, place, listening, url, asked: port, placeholder: None };
        Ok((broker, beside))
    }

    /// Where clients connect: `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port it listens on; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listening.clients
    }

    /// The port of `/varz` and the like on 127.0.0.1, if there is
    /// [`monitoring`](Settings::monitoring); another one after a restart.
    #[must_use]
    pub fn monitoring_port(&self) -> Option<u16> {
        self.listening.monitoring
    }

    /// Where `/varz` and the like are: `http://127.0.0.1:PORT`; as
    /// [`monitoring_port`](Self::monitoring_port).
    #[must_use]
    pub fn monitoring_url(&self) -> Option<String> {
        self.monitoring_port().map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// The name the server gives in its INFO: a nonce; the same after a restart.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// The server's pid; another one after a restart.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The login of a program in this role; `None` without [`Auth::Roles`]. The same after a
    /// restart.
    #[must_use]
    pub fn credentials(&self, role: Role) -> Option<&Credentials> {
        self.place.logins.as_ref()?.of(role)
    }

    /// A key that a worker can use instead of its password, so that a false server in the broker's
    /// place learns nothing; new for each run.
    #[must_use]
    pub fn worker_key(&self) -> Option<&Key> {
        self.place.logins.as_ref()?.worker_key()
    }

    /// The login of one of the further [clients](super::Roles::clients).
    #[must_use]
    pub fn client_credentials(&self, name: &str) -> Option<Credentials> {
        self.place.logins.as_ref()?.of_client(name)
    }

    /// The passwords of this run, where there are roles.
    pub(super) fn logins(&self) -> Option<&Logins> {
        self.place.logins.as_ref()
    }

    /// Where JetStream keeps its messages.
    #[must_use]
    pub fn store_dir(&self) -> &Path {
        &self.place.store_dir
    }

    /// A folder that only this user can enter, and that is gone when the broker is.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.place.run_dir
    }

    /// The settings it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.place.settings
    }

    /// The last lines of the running server's log.
    #[must_use]
    pub fn log_tail(&self) -> Vec<String> {
        self.child.tail()
    }

    /// The lines of the running server's log, from the first that is still kept.
    #[must_use]
    pub fn log_lines(&self) -> Lines {
        self.child.stderr_lines()
    }

    /// The whole log, of all its servers one after the other.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.place.log_path
    }

    /// Waits until the server has ended, for whatever reason.
    pub async fn exited(&self) -> ExitStatus {
        self.child.wait().await
    }

    /// How the server ended, if it has.
    #[must_use]
    pub fn try_status(&self) -> Option<ExitStatus> {
        self.child.try_status()
    }

    /// Kills the server with SIGKILL; fine on one that has already ended.
    ///
    /// # Errors
    /// If the operating system does not let us.
    pub async fn kill(&mut self) -> Result<ExitStatus, StopError> {
        let status = self.child.kill().await?;
        self.hold_port();
        Ok(status)
    }

    /// Ends the server with SIGTERM and waits; one that does not heed it is killed. Port and store are
    /// kept for [`restart`](Self::restart).
    ///
    /// # Errors
    /// If the operating system does not let us.
    pub async fn shut_down(&mut self) -> Result<ExitStatus, StopError> {
        let status = self.child.stop(STOP_GRACE).await?;
        self.hold_port();
        Ok(status)
    }

    /// Sends the server into lame duck mode and waits until it has ended: it takes no new client,
    /// tells those that it has to go elsewhere, and sends them away one after the other, which takes
    /// up to a second each and begins after its `lame_duck_grace_period` (10 s unless the
    /// configuration says otherwise). Port and store are kept for [`restart`](Self::restart).
    ///
    /// # Errors
    /// [`StopError::NotLame`] if it has not ended after a minute; it still runs.
    pub async fn lame_duck(&mut self) -> Result<ExitStatus, StopError> {
        self.child.signal(Signal::Usr2).await?;
        let ended = tokio::time::timeout(LAME_DUCK, self.child.wait()).await;
        let status = ended.map_err(|_| StopError::NotLame { after: LAME_DUCK })?;
        self.hold_port();
        Ok(status)
    }

    /// Starts the server again, on the same port and store, and returns once it is ready; one that
    /// still runs is stopped first.
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`StartError::PortLost`] if another process took the port and
    /// kept it until the ready timeout. The broker is then down, and can be restarted once more.
    ///
    /// If it is cancelled, what was begun of it is ended, and the broker is down.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        // Whatever is left of the old server is ended by `release` below.
        let _ = self.child.stop(STOP_GRACE).await;
        self.hold_port();
        let began = Instant::now();
        let limit = self.place.settings.ready_timeout;
        let (child, listening, ()) = loop {
            let port = Port::Fixed(self.listening.clients);
            match launch(&self.place, port, GivenUp::Kept, nothing).await {
                Ok(launched) => break launched,
                Err(StartError::PortInUse { port }) if began.elapsed() >= limit => {
                    return Err(StartError::PortLost { port, waited: limit });
                }
                // Somebody was given the port as a source port before we could hold it. A port that
                // becomes free cannot be awaited.
                Err(StartError::PortInUse { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    self.hold_port();
                }
                Err(problem) => return Err(problem),
            }
        };
        self.listening = listening;
        self.asked = Port::Fixed(listening.clients);
        self.placeholder = None;
        // The new reaper removes the run folder; the old one must not.
        std::mem::replace(&mut self.child, child).release().await;
        Ok(())
    }

    /// [`kill`](Self::kill), then [`restart`](Self::restart).
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub async fn kill_and_restart(&mut self) -> Result<(), StartError> {
        // One that could not be killed is stopped by `restart`.
        let _ = self.kill().await;
        self.restart().await
    }

    /// Pauses the server with SIGSTOP: connections stay open, nothing answers.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn pause(&self) -> Result<(), StopError> {
        Ok(self.child.signal(Signal::Stop).await?)
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn resume(&self) -> Result<(), StopError> {
        Ok(self.child.signal(Signal::Cont).await?)
    }

    /// Sends any signal; SIGUSR2 is lame duck mode.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn signal(&self, signal: Signal) -> Result<(), StopError> {
        Ok(self.child.signal(signal).await?)
    }

    /// Ends the server, waits until it has ended, and removes the run folder: with SIGTERM where its
    /// store stays; where that goes with the folder, with SIGKILL, which takes 2 ms rather than 60.
    ///
    /// # Errors
    /// If SIGTERM was not enough, or if the folder could not be removed; it has ended all the same.
    pub async fn stop(self) -> Result<(), StopError> {
        let was_running = self.child.try_status().is_none();
        let began = Instant::now();
        let stopped = match self.is_temporary() {
            true => self.child.kill().await,
            false => self.child.stop(STOP_GRACE).await,
        };
        let killed = was_running
            && began.elapsed() >= STOP_GRACE
            && matches!(stopped, Ok(ExitStatus::Signal(9)));
        self.child.close().await;
        stopped?;
        if self.place.run_dir.exists() {
            return Err(StopError::FolderLeft { path: self.place.run_dir });
        }
        if killed {
            return Err(StopError::Killed { grace: STOP_GRACE });
        }
        Ok(())
    }

    /// Ends the server as [`stop`](Self::stop) does, and leaves the run folder.
    pub(super) async fn end(&mut self) -> Result<ExitStatus, StopError> {
        match self.is_temporary() {
            true => self.kill().await,
            false => self.shut_down().await,
        }
    }

    /// Whether nothing that it stores outlives it.
    fn is_temporary(&self) -> bool {
        !matches!(self.place.settings.store, Store::Folder(_))
    }

    /// Removes all that a server which has ended had stored.
    pub(super) async fn remove_streams(&self) -> io::Result<()> {
        match tokio::fs::remove_dir_all(self.place.store_dir.join("jetstream")).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Kills the server and waits until nothing of it is left.
    pub(super) async fn abandon(self) {
        self.child.close().await;
    }

    fn hold_port(&mut self) {
        if self.placeholder.is_none() {
            self.placeholder = Placeholder::take(self.listening.clients);
        }
    }
}

/// Where nobody connects beside.
pub(super) fn nothing(_: Reached) -> std::future::Ready<()> {
    std::future::ready(())
}

/// A new run folder that only we can enter; dropping it removes it.
pub(super) fn run_folder(settings: &Settings) -> Result<TempDir, StartError> {
    let root = settings.run_root.as_deref().unwrap_or(settings.reaper.root()).to_owned();
    in_root(&settings.reaper, &root)
}

fn in_root(reaper: &Reaper, root: &Path) -> Result<TempDir, StartError> {
    reaper.private_folder(root, "mono-demo-").map_err(|source| StartError::Prepare {
        what: "the run folder in",
        path: root.to_owned(),
        source,
    })
}

/// Makes a run folder as a broker does, with a page in it, and removes it again.
///
/// # Errors
/// As [`Broker::start`] where the folder cannot be made, or nothing be written in it.
pub fn try_run_folder(reaper: &Reaper) -> Result<(), StartError> {
    let folder = in_root(reaper, reaper.root())?;
    let written = crate::whole::try_in(folder.path());
    written.map_err(|source| StartError::Prepare {
        what: "a file in",
        path: reaper.root().into(),
        source,
    })
}

/// The passwords, if there are to be roles: drawn for this run, or those of the store folder.
pub(super) fn logins(settings: &Settings) -> Result<Option<Logins>, StartError> {
    match (&settings.auth, &settings.store) {
        (Some(Auth::Roles(roles)), Store::Folder(folder)) => {
            Logins::kept_in(folder, &roles.clients).map(Some)
        }
        (Some(Auth::Roles(roles)), Store::Temporary | Store::Nowhere | Store::CopyOf(_)) => {
            Logins::draw(&roles.clients)
                .map(Some)
                .map_err(|source| StartError::NoRandomness { source })
        }
        _ => Ok(None),
    }
}

/// Makes a folder that only we can enter.
pub(super) fn private_folder(path: &Path, what: &'static str) -> Result<(), StartError> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|source| StartError::Prepare {
        what,
        path: path.to_owned(),
        source,
    })
}
