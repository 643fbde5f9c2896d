//! The trait of an oracle, which judges what particular services promise: the engine itself judges
//! only replies and order.

use serde_json::{Map, Value};

use super::finding::{Finding, Property};
use super::index::Index;
use super::policy::Policy;
use crate::e2e::record::history::event::{Event, Fact};
use crate::e2e::record::trace::Party;

/// Everything is final within a time after the last fault: any oracle may promise it, and one check asks
/// for it.
pub const FINAL: Property = Property { word: "final", says: "final in time after the last fault" };

/// What services promise.
///
/// An implementation puts facts into a history when a run ends, and reads them here again: from a
/// run that has just ended, or from a file that was kept.
pub trait Promises: Send + Sync {
    /// The words of its facts.
    fn facts(&self) -> &'static [&'static str];

    /// Judges the promises by a history alone.
    ///
    /// # Errors
    /// [`Unreadable`]: a fact, or what an operation is about, has another shape than it writes.
    fn judge(&self, index: &Index<'_>, policy: Policy) -> Result<Judged, Unreadable>;

    /// A fact for people: whose word it is, and one line. `None` for what nobody needs to see.
    fn told(&self, fact: &Fact) -> Option<(Party, String)>;
}

/// What came of promises.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// One a promise.
    pub findings: Vec<Finding>,
    /// Numbers by name, for JSON and for `history = { … }`.
    pub figures: Map<String, Value>,
    /// The same for people.
    pub lines: Vec<String>,
    /// How everything ended; `None` where nothing was promised of an end.
    pub endings: Option<Endings>,
}

/// How everything ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endings {
    /// Acknowledged, and without an end on record.
    pub open: usize,
    /// The longest that an end took after the last fault, or after its operation began where that came
    /// later, nanoseconds; `None` where there is no end.
    pub longest_ns: Option<u64>,
}

/// A history in which something has not the shape in which it is written, or says what cannot be.
#[derive(Debug, thiserror::Error)]
#[error("history line {line}: {what}: {reason}")]
pub struct Unreadable {
    /// From 1.
    pub line: u64,
    /// `shipped`, or what an operation is about.
    pub what: String,
    /// What is wrong with it, and the column in it.
    pub reason: String,
}

impl Unreadable {
    /// Of an event.
    pub fn new(event: &Event, what: &str, error: &serde_json::Error) -> Self {
        Self::because(event, what, &error.to_string())
    }

    /// Of an event that has its shape, and says what cannot be.
    pub fn because(event: &Event, what: &str, reason: &str) -> Self {
        let reason = crate::wire::headers::one_line(reason);
        Self { line: event.seq, what: what.to_owned(), reason }
    }
}
