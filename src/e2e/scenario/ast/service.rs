//! A service under test: a command, and how it is seen to be ready.

use std::collections::BTreeMap;
use std::time::Duration;

/// One service under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// As faults and logs call it.
    pub name: String,
    /// The command.
    pub run: Vec<String>,
    /// Its working folder, from the suite's; the suite's if `None`.
    pub cwd: Option<String>,
    /// Added to its environment.
    pub env: BTreeMap<String, String>,
    /// How it is seen to be ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_within: Duration,
    /// How long it may take to end after SIGTERM.
    pub stop_within: Duration,
    /// How many processes run the command.
    pub processes: u32,
    /// Whether it may end, in order, before it is told to.
    pub may_end: bool,
}

impl Service {
    /// All in it that may have `{{name}}` in it.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let url = match &self.ready {
            Ready::Http(url) => Some(url),
            _ => None,
        };
        self.run.iter().chain(self.env.values()).chain(url)
    }
}

/// How a service is seen to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// It answers `$SRV.PING.<name>`, once for each process.
    Service(String),
    /// It answers a request on this subject.
    Subject(String),
    /// It prints a line with this text.
    Line(String),
    /// Each of its processes has so many connections to the broker.
    Connected(u32),
    /// Each of its processes subscribes to this subject.
    Subscribes(String),
    /// This consumer, of whatever stream, is there, and somebody waits for its messages.
    Consumer(String),
    /// A GET of this URL is answered with a status from 200 to 299.
    Http(String),
}
