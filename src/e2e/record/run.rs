//! A run by its name, and the evidence that is reported about it.

use serde::Serialize;

use crate::e2e::scenario::ast::crash::Message;
use crate::e2e::text::name::Name;

/// One scenario with one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RunId {
    /// Which scenario.
    pub scenario: Name,
    /// Which client.
    pub client: String,
    /// Which repetition, from 1, if every run is done several times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.scenario, self.client)?;
        self.round.map_or(Ok(()), |round| write!(f, " #{round}"))
    }
}

/// What was seen of a service that was looked after message by message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// What it sent and received, from the first step on until the services drain, in order.
    pub messages: Vec<Message>,
    /// It was killed at the message at which it was to be.
    pub is_killed: bool,
}

/// What differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Failure {
    /// One sentence.
    pub message: String,
    /// The fixture's line with a caret under it.
    pub excerpt: Option<String>,
    /// Unified diff of transcripts, from the golden one to this one.
    pub diff: Option<String>,
    /// Where to look first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place in a file of the suite, for tools that annotate files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, from the suite's root.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1; absent where the whole line is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// The end of a process's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// `broker`, `services`, `driver python`.
    pub name: String,
    /// Free of control characters.
    pub lines: Vec<String>,
}

/// What a run left behind at the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunLeaks {
    /// What exists now and did not exist at the start.
    pub found: Vec<Leak>,
    /// Why the list is incomplete, if the broker's state could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl RunLeaks {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.unknown.is_none()
    }

    /// A line for each.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let unknown = self.unknown.iter().map(|reason| format!("not known {reason}"));
        self.found.iter().map(Leak::to_string).chain(unknown)
    }
}

/// One thing that was left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// What it is.
    pub kind: LeakKind,
    /// The name of the connection, or of the consumer.
    pub by: String,
    /// What follows after the name.
    pub told: String,
}

impl Leak {
    /// Whether another one tells the same once more.
    pub fn is_same(&self, other: &Leak) -> bool {
        (self.kind, &self.by) == (other.kind, &other.by)
    }
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, by, told } = self;
        let what = match kind {
            LeakKind::Connection | LeakKind::Subscription => "",
            LeakKind::Consumer
            | LeakKind::Unacknowledged
            | LeakKind::Terminated
            | LeakKind::Exhausted => "consumer ",
        };
        write!(f, "{what}`{by}` {told}")
    }
}

/// What can be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    /// A connection.
    Connection,
    /// A subscription of a connection.
    Subscription,
    /// A consumer of a stream.
    Consumer,
    /// Messages that a consumer has delivered and nobody has acknowledged.
    Unacknowledged,
    /// Messages that a worker has terminated.
    Terminated,
    /// Messages whose deliveries are used up.
    Exhausted,
}
