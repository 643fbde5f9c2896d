//! The settings of a broker.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::roles::Roles;
use crate::process::Reaper;
use crate::provision::NatsServer;

/// The settings of a broker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program, checked.
    pub server: NatsServer,
    /// The reaper, which ends it if we die.
    pub reaper: Reaper,
    /// Where it listens, on 127.0.0.1 only.
    pub port: Port,
    /// Where JetStream keeps its messages.
    pub store: Store,
    /// The largest message, in bytes; the server's default (1 MiB) if `None`.
    pub max_payload: Option<usize>,
    /// What a client must show; nothing if `None`.
    pub auth: Option<Auth>,
    /// With it, there are these accounts beside the broker's own, and more can be added while it runs:
    /// [`Broker::add_accounts`](super::Broker::add_accounts). Each has its user; the broker's own account
    /// has that of `auth`, or [`Broker::own_login`](super::Broker::own_login).
    pub accounts: Option<Vec<String>>,
    /// With it, clients must speak TLS; the nodes of a cluster do not among themselves.
    pub tls: Option<Tls>,
    /// Also serves `/varz` and the like, on a random port of 127.0.0.1.
    pub monitoring: bool,
    /// A file in nats-server's language that is read at the end of the config file.
    pub include: Option<PathBuf>,
    /// More lines for the config file, in nats-server's language, at its end.
    pub extra_config: String,
    /// Where the private run folder goes; where the reaper's go if `None`.
    pub run_root: Option<PathBuf>,
    /// Where the log goes; into the run folder, and away with it, if `None`.
    pub log: Option<PathBuf>,
    /// How long it may take to be ready; 10 s unless told otherwise.
    pub ready_timeout: Duration,
}

impl Settings {
    /// Whether there is JetStream.
    #[must_use]
    pub fn stores(&self) -> bool {
        self.store != Store::Nowhere
    }

    /// A random port, a temporary store.
    #[must_use]
    pub fn new(server: NatsServer, reaper: Reaper) -> Self {
        Settings {
            server,
            reaper,
            port: Port::Any,
            store: Store::Temporary,
            max_payload: None,
            auth: None,
            accounts: None,
            tls: None,
            monitoring: false,
            include: None,
            extra_config: String::new(),
            run_root: None,
            log: None,
            ready_timeout: Duration::from_secs(10),
        }
    }
}

/// What is wanted of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// What is wanted of each node. From a fixed port the nodes count on: 4222, 4223, 4224. Each has
    /// a subfolder of a store folder (`node-0` …) and a log file of its own (`broker.0.log` …).
    pub node: Settings,
    /// How many nodes: 3 or more, better an odd number.
    pub nodes: usize,
    /// Whether a client that knows one node learns of the others. Not unless told so: a client behind
    /// a fault proxy would leave it.
    pub advertise: bool,
    /// Whether its nodes can be cut off from each other
    /// ([`Cluster::isolate`](super::Cluster::isolate)): then their routes go through proxies.
    pub partitions: bool,
}

/// Where a broker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A free port that the system chooses.
    Any,
    /// This one.
    Fixed(u16),
}

/// Where JetStream keeps its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Nowhere: the server runs no JetStream.
    Nowhere,
    /// In the run folder, and gone with it; survives kill and restart.
    Temporary,
    /// The same, and begun with a copy of the streams of this store folder, which stays as it is.
    CopyOf(PathBuf),
    /// In this folder, which is made if missing; every write is synced to disk before it is
    /// acknowledged.
    Folder(PathBuf),
}

/// Certificates, as PEM files. Their paths need not be absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate, good for 127.0.0.1.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed it, which clients must trust; the readiness check does. `None`
    /// where it is one that the system trusts already.
    pub ca: Option<PathBuf>,
}

/// What a client must show.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// A token.
    Token(String),
    /// A user and a password.
    User {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// One user a role, with passwords that are drawn when the broker starts: see
    /// [`Broker::credentials`](super::Broker::credentials).
    Roles(Roles),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::Token(_) => "Token(…)",
            Auth::User { .. } => "User(…)",
            Auth::Roles(_) => "Roles(…)",
        })
    }
}
