//! The broker, services and peers of a section: processes of this program, each below a reaper, but for
//! those whose start is timed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::args::{BenchArgs, Sync};
use super::sizes::Sizes;
use crate::bench::BenchError;
use crate::cli::connect::{NAMES_A_SERVER, provision_settings, reaper};
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::modules::payment::Sabotage;
use crate::mono::{Connection, Target};
use crate::process::{Child, ExitStatus, Reaper, Spawn};
use crate::provision::{self, NatsServer};

/// How long a process may take to serve, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// What `serve` prints when it serves, before its URL.
pub(super) const READY: &str = "Ready: ";
/// What it prints before the folder of its journals.
const JOURNALS: &str = "journals of the simulated gateway and mailer: ";

/// What all sections need.
pub(super) struct Stage<'a> {
    pub(super) rounds: usize,
    pub(super) sizes: Sizes,
    pub(super) sync: Sync,
    pub(super) server: NatsServer,
    pub(super) reaper: Reaper,
    pub(super) context: &'a Context,
    sabotage: Option<Sabotage>,
    /// No `serve` of this user is found from there, and no context that was selected.
    nowhere: TempDir,
}

impl<'a> Stage<'a> {
    pub(super) async fn new(
        args: &BenchArgs,
        global: &Global,
        context: &'a Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let settings = provision_settings(&global.tools, context);
        let server = provision::nats_server(&settings, &|line: &str| output.note(line)).await?;
        let reaper = reaper(context);
        let nowhere = reaper
            .private_folder(reaper.root(), "mono-demo-bench-")
            .map_err(|e| CliError::infrastructure("make a folder for the bench", e))?;
        Ok(Self {
            rounds: args.rounds(),
            sizes: args.sizes(),
            sync: args.sync,
            server,
            reaper,
            context,
            sabotage: args.sabotage,
            nowhere,
        })
    }

    /// What is set for this program alone.
    fn environment(&self) -> [(&'static str, &Path); 2] {
        ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"].map(|name| (name, self.nowhere.path()))
    }

    /// A whole process of this program, to be timed: nothing of what this user has set reaches it. It
    /// is killed when it is dropped.
    pub(super) fn timed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.context.exe);
        command.arg("--no-config").arg("--nats-server").arg(&self.server.path);
        command.args(args).envs(self.environment());
        for name in NAMES_A_SERVER {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true);
        command
    }

    /// What starts nats-server and nothing else, to be timed: the least that any start can take.
    pub(super) fn version_of_server(&self) -> Command {
        let mut command = Command::new(&self.server.path);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        command
    }

    fn spawn(&self, name: &str) -> Spawn {
        let mut spawn = Spawn::new(name, &self.context.exe);
        spawn = spawn.arg("--no-config").arg("--nats-server").arg(self.server.path.as_os_str());
        for (name, value) in self.environment() {
            spawn = spawn.env(name, value);
        }
        NAMES_A_SERVER.into_iter().fold(spawn, |spawn, name| spawn.env_remove(name))
    }

    /// `serve` with a broker of its own, which syncs what is stored if that was asked for.
    pub(super) async fn serve(&self, args: &[&str]) -> Result<Serve, BenchError> {
        let mut spawn = self.spawn("serve").args(["serve", "--port", "0", "--unlisted"]).args(args);
        if self.sync == Sync::Always {
            let store = self
                .reaper
                .private_folder(self.reaper.root(), "mono-demo-bench-")
                .map_err(|e| BenchError::failed("make a folder for the store", e))?;
            spawn = spawn.arg("--store-dir").arg(store.path()).remove_on_exit(store.path());
            return Serve::start(self, spawn, Some(store)).await;
        }
        Serve::start(self, spawn, None).await
    }

    /// More services on the broker of another `serve`, beside its journals.
    pub(super) async fn join(&self, first: &Serve) -> Result<Serve, BenchError> {
        let spawn = self.spawn("serve").args(["serve", "--unlisted", "--server", &first.url]);
        let spawn = spawn.arg("--journal-dir").arg(&first.journals);
        Serve::start(self, spawn, None).await
    }

    /// The smallest program that answers.
    pub(super) async fn peer(&self, url: &str) -> Result<Child, BenchError> {
        let spawn = self.spawn("peer").args(["bench", "--peer", "serve", "--server", url]);
        let peer = Child::spawn(&self.reaper, spawn).await;
        let peer = peer.map_err(|e| BenchError::failed("start a peer", e))?;
        let mut lines = peer.take_stdout().ok_or_else(|| not_ready(&peer))?;
        let ready = tokio::time::timeout(PATIENCE, lines.recv()).await;
        match ready {
            Ok(Some(Ok(_))) => Ok(peer),
            _ => Err(not_ready(&peer)),
        }
    }

    /// The smallest program that asks, to be timed.
    pub(super) fn asks(&self, url: &str) -> Command {
        self.timed(["bench", "--peer", "ask", "--server", url])
    }
}

fn not_ready(child: &Child) -> BenchError {
    let tail = child.tail().join("\n");
    BenchError::failed(format!("wait until {} is ready", child.name()), tail)
}

/// A `serve` that serves.
pub(super) struct Serve {
    child: Child,
    pub(super) url: String,
    pub(super) journals: PathBuf,
    pub(super) connection: Connection,
    _lines: tokio::sync::mpsc::Receiver<Result<String, crate::process::StdoutError>>,
    /// The reaper removes it too, where this process is killed.
    _store: Option<TempDir>,
}

impl Serve {
    async fn start(
        stage: &Stage<'_>,
        spawn: Spawn,
        store: Option<TempDir>,
    ) -> Result<Self, BenchError> {
        let failed = |what: &str, e: &dyn std::fmt::Display| BenchError::failed(what, e);
        let sabotage = stage.sabotage.and_then(|how| clap::ValueEnum::to_possible_value(&how));
        let sabotage = sabotage.map(|how| ["--sabotage".to_owned(), how.get_name().to_owned()]);
        let spawn = spawn.args(sabotage.into_iter().flatten());
        let child = Child::spawn(&stage.reaper, spawn).await;
        let child = child.map_err(|e| failed("start `serve`", &e))?;
        let mut lines = child.take_stdout().ok_or_else(|| not_ready(&child))?;
        let mut journals = None;
        let url = async {
            while let Some(Ok(line)) = lines.recv().await {
                if let Some(folder) = line.strip_prefix(JOURNALS) {
                    journals = Some(PathBuf::from(folder));
                }
                if let Some(url) = line.strip_prefix(READY) {
                    return Some(url.to_owned());
                }
            }
            None
        };
        let url = tokio::time::timeout(PATIENCE, url).await.ok().flatten();
        let (Some(url), Some(journals)) = (url, journals) else { return Err(not_ready(&child)) };
        let connection = connect(&url).await?;
        Ok(Self { child, url, journals, connection, _lines: lines, _store: store })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends it in order.
    pub(super) async fn stop(self) -> Result<(), BenchError> {
        self.connection.close(Duration::from_secs(2)).await;
        let stopped = self.child.stop(PATIENCE).await;
        let tail = self.child.tail().join("\n");
        self.child.close().await;
        match stopped {
            Ok(ExitStatus::Code(0)) => Ok(()),
            Ok(status) => {
                Err(BenchError::failed("stop `serve`", format!("it ended with {status}; {tail}")))
            }
            Err(e) => Err(BenchError::failed("stop `serve`", e)),
        }
    }
}

/// A connection of this process.
pub(super) async fn connect(url: &str) -> Result<Connection, BenchError> {
    let target = Target { url: url.to_owned(), ..Target::default() };
    let opened = Connection::open(&target, "mono-demo bench").await;
    opened.map_err(|e| BenchError::failed("connect", e))
}

/// Ends a peer.
pub(super) async fn end(peer: Child) {
    peer.close().await;
}
