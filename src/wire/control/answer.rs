//! What is answered.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `ok` of `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// The version of this protocol.
    pub protocol: u32,
    /// The version of mono-demo.
    pub version: String,
}

/// A broker that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Where clients connect, with the user and password or the token they must show; the same after a
    /// restart.
    pub url: String,
    /// The user in it, for clients that do not read one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The port in it.
    pub port: u16,
    /// Its process; another one after a restart.
    pub pid: u32,
    /// The version of nats-server, as `2.15.1`.
    pub version: String,
    /// Where `/varz` and the like are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_url: Option<String>,
    /// The authority of its certificate, where clients must speak TLS and the system does not trust it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Its log, as long as it is there.
    pub log: PathBuf,
}

/// A cluster that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Servers {
    /// Its name.
    pub name: String,
    /// Where clients connect: all nodes, comma separated.
    pub url: String,
    /// Each of them; their names are those of the cluster and their number, from 0.
    pub nodes: Vec<Server>,
}

/// An account of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Where clients connect, with user and password. Who shows none is refused: clients that do not read
    /// them there, as Rust's, are given them.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its process; another one after a restart.
    pub pid: u32,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// Where clients connect; of a cluster all, comma separated.
    pub url: String,
    /// The port in it; of a cluster the first.
    pub port: u16,
}

/// What a fault has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// In words.
    pub told: String,
    /// The process that runs now, of what was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The nodes of a cluster that were hit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<usize>,
}

/// `ok` of `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Logs {
    /// Of each broker, node and service that has logged something.
    pub logs: Vec<Log>,
}

/// The last lines of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Log {
    /// Whose.
    pub name: String,
    /// At most 50, without control characters.
    pub lines: Vec<String>,
}

/// `ok` of `leaks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leaks {
    /// Every client that is connected.
    pub connections: Vec<Connection>,
    /// Every consumer of every stream.
    pub consumers: Vec<Consumer>,
}

/// A client that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connection {
    /// The name it gave, or nothing.
    pub name: String,
    /// As whom it is connected, or nothing.
    pub user: String,
    /// What it subscribes to.
    pub subscriptions: Vec<String>,
}

/// A consumer of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Consumer {
    /// The stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// Messages that were delivered and are not acknowledged.
    pub unacknowledged: u64,
    /// Messages that were not delivered yet.
    pub pending: u64,
    /// Whether somebody waits for its messages.
    pub in_use: bool,
}

/// `ok` of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// In the order of their names.
    pub things: Vec<Thing>,
}

/// Something that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thing {
    /// Its name.
    pub name: String,
    /// `broker`, `cluster`, `account`, `service` or `proxy`.
    pub kind: String,
    /// `runs`, or how it ended.
    pub state: String,
    /// Where clients connect, where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// `ok` of `stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stopped {
    /// Each, in the order in which they were stopped.
    pub stopped: Vec<Ended>,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// `orderly`; of a program that ended otherwise how, as `exit status 1`.
    pub how: String,
}

/// One line from `mono-demo control`: `ok` or `err` beside the id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reply {
    /// The command's id; null where the line had none.
    pub id: Option<u64>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done, with this result.
    Ok(Value),
    /// It is not.
    Err(ControlError),
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
pub struct ControlError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The operation, the field and the evidence.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last lines of what did not start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// There was no `hello`, or one of another version.
    Protocol,
    /// The line or a field of it is wrong; nothing was done.
    BadInput,
    /// Nothing has this name, or it is of another sort.
    NoSuch,
    /// It was tried, and failed.
    Failed,
}
