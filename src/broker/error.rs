//! Why a broker did not start or stop, with the evidence.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::counted::counted;
use crate::process::{ExitStatus, SignalError, SpawnError};

/// A broker did not become ready; nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process listens on the port that was asked for.
    #[error("nats-server could not listen on 127.0.0.1:{port}: another process uses that port")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// At a restart, the broker's own port was taken and did not become free.
    #[error(
        "nats-server could not be restarted on its port 127.0.0.1:{port}: another process took it and still held it after {waited:?}"
    )]
    PortLost {
        /// The port.
        port: u16,
        /// How long it was tried.
        waited: Duration,
    },
    /// The file to be included cannot be read, or not as text.
    #[error("cannot read {}, which nats-server is to include: {source}", path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file to be included has a setting that this program makes itself.
    #[error("{}:{line} sets `{key}`, which mono-demo sets itself", path.display())]
    Overrides {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The setting.
        key: String,
    },
    /// Another broker uses the store folder.
    #[error("the store folder {} is in use by {}", store.display(), by.as_deref().unwrap_or("another broker"))]
    StoreInUse {
        /// The store folder.
        store: PathBuf,
        /// The process that uses it and its server's URL, where it has said so.
        by: Option<String>,
    },
    /// The store folder is that of a single server, and a cluster was asked for.
    #[error("the store folder {} is that of a single server, not of a cluster", store.display())]
    StoreOfOne {
        /// The store folder.
        store: PathBuf,
    },
    /// The store folder belongs to a cluster of another size.
    #[error(
        "the store folder {} is that of a cluster of {}, not of {}", store.display(), counted(*found, "node"),
        if *asked == 1 { "a single server".to_owned() } else { asked.to_string() }
    )]
    OtherCluster {
        /// The store folder.
        store: PathBuf,
        /// How many nodes it was made for.
        found: usize,
        /// How many were asked for.
        asked: usize,
    },
    /// The file of the names by which the nodes of a cluster know each other is missing or torn, or has those
    /// of others.
    #[error("the cluster's names in {} cannot be used: {why}", path.display())]
    ClusterNames {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The store folder of a cluster was made with accounts for clients and services, or without.
    #[error(
        "the store folder {} was made {} --auth: the nodes of a cluster cannot change that", store.display(),
        if *auth { "with" } else { "without" }
    )]
    OtherAccount {
        /// The store folder.
        store: PathBuf,
        /// Whether it was made with them.
        auth: bool,
    },
    /// A node's port, counted on from the first one's, would be over 65535.
    #[error("there is no port {first} + {index}")]
    NoSuchPort {
        /// The first node's port.
        first: u16,
        /// The node, from 0.
        index: usize,
    },
    /// The server ended before it was ready.
    #[error("nats-server ended with {status} before it was ready; {}", evidence(tail, log_path.as_ref()))]
    EarlyExit {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        tail: Vec<String>,
        /// The whole log, if the caller said where to keep it.
        log_path: Option<PathBuf>,
    },
    /// The server did not become ready in time.
    #[error("nats-server was not ready after {after:?}: still {waiting_for}; {}", evidence(tail, log_path.as_ref()))]
    NotReady {
        /// How long it was given.
        after: Duration,
        /// The observation that was still missing.
        waiting_for: String,
        /// The last lines of its log.
        tail: Vec<String>,
        /// The whole log, if the caller said where to keep it.
        log_path: Option<PathBuf>,
    },
    /// No client would accept the server's certificate.
    #[error("nats-server speaks TLS, and no client would accept it: {}", trouble.cause)]
    Certificate {
        /// Why, and what to do about it.
        trouble: crate::tls::Trouble,
    },
    /// The system gave no random numbers for passwords.
    #[error("no passwords could be drawn from /dev/urandom: {source}")]
    NoRandomness {
        /// What the operating system said.
        source: io::Error,
    },
    /// The server could not be started at all.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A folder or file that the broker needs could not be made.
    #[error("could not make {what} {}: {source}", path.display())]
    Prepare {
        /// What was being made.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StartError {
    /// What to do about it, as one line, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PortInUse { .. } => "stop the other process, or ask for another port".to_owned(),
            Self::Certificate { trouble } => trouble.remedy.clone(),
            Self::Overrides { .. } => {
                "take it out of that file: port, users, TLS and cluster have settings here, and store, log \
                 and monitoring are made for each start"
                    .to_owned()
            }
            Self::PortLost { .. } => {
                "a client that reconnects without a pause can be given the port as its own"
                    .to_owned()
            }
            Self::StoreInUse { store, .. } => {
                format!("stop the other broker, or choose another folder than {}", store.display())
            }
            Self::StoreOfOne { store } => format!(
                "start it without --cluster, or choose another folder than {}",
                store.display()
            ),
            Self::OtherCluster { store, found, .. } => {
                let store = store.display();
                format!("start it with --cluster {found}, or choose another folder than {store}")
            }
            Self::ClusterNames { remedy, .. } => remedy.clone(),
            Self::OtherAccount { store, auth } => {
                let (with, folder) = (if *auth { "with" } else { "without" }, store.display());
                format!("start it {with} --auth, or choose another folder than {folder}")
            }
            Self::NoSuchPort { .. } => "ask for a lower port".to_owned(),
            Self::NotReady { .. } => "a busy machine may need a longer ready timeout".to_owned(),
            Self::EarlyExit { .. }
            | Self::Include { .. }
            | Self::NoRandomness { .. }
            | Self::Spawn(_)
            | Self::Prepare { .. } => return None,
        })
    }
}

fn evidence(tail: &[String], log_path: Option<&PathBuf>) -> String {
    // The line that says why is the last fatal one; what follows it is the shutdown.
    let fatal = tail.iter().rfind(|line| line.contains("[FTL]"));
    let last = tail.iter().rfind(|line| !line.trim().is_empty());
    let line = match fatal.or(last) {
        Some(line) => format!("last log line: `{line}`"),
        None => "it logged nothing".to_owned(),
    };
    match log_path {
        Some(path) => format!("{line}; full log: {}", path.display()),
        None => line,
    }
}

/// A broker was not stopped, killed, paused or resumed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The signal was not delivered.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// It had to be killed, since it did not heed SIGTERM.
    #[error("nats-server did not end within {grace:?} of SIGTERM and was killed")]
    Killed {
        /// How long it was given.
        grace: Duration,
    },
    /// It does not end in lame duck mode.
    #[error("nats-server did not end within {after:?} of entering lame duck mode")]
    NotLame {
        /// How long it was given.
        after: Duration,
    },
    /// Its run folder is still there.
    #[error("the broker's run folder {} could not be removed", path.display())]
    FolderLeft {
        /// The folder.
        path: PathBuf,
    },
}
