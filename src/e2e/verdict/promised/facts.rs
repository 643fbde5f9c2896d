//! What a history says of promises.
//!
//! ```json
//! "promise":{"name":"order","operation":{"verb":"submit","on":"orders.new"},…}
//! "asked":{"promise":"order","op":7,"key":"o-7","order":"c-1"}
//! "effect":{"promise":"order","effect":0,"key":"o-7","value":"shipped","place":"RECEIPTS sequence 4 (receipts.o-7)"}
//! "gap":{"promise":"order","effect":0,"why":"stream RECEIPTS has removed 3 messages"}
//! "in_flight":{"why":"consumer w of stream ORDERS has 0 pending and 1 unacknowledged"}
//! ```

use serde::{Deserialize, Serialize};

use crate::e2e::record::history::event::Fact;
use crate::e2e::scenario::ast::promise::Promise;

/// What is promised.
pub const PROMISE: &str = "promise";
/// An operation is about a promise.
pub const ASKED: &str = "asked";
/// An effect was seen.
pub const EFFECT: &str = "effect";
/// Where effects may have been that nobody saw.
pub const GAP: &str = "gap";
/// What was delivered, and not acknowledged when all had its time.
pub const IN_FLIGHT: &str = "in_flight";
/// All of them.
pub const WORDS: &[&str] = &[PROMISE, ASKED, EFFECT, GAP, IN_FLIGHT];
/// The record of effects, where it is whole.
pub const EFFECTS: &str = "effects";

/// An operation is about a promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its name.
    pub promise: String,
    /// The operation's number.
    pub op: u64,
    /// Absent where the message has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it keeps its order with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// An effect was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Of which promise.
    pub promise: String,
    /// Which of its effects, from 0.
    pub effect: usize,
    /// Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it says of how things stand, where the promise asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was not there yet, nanoseconds since the start, where its time is only when it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_ns: Option<u64>,
    /// Where it is, so that it can be found.
    pub place: String,
}

/// Where effects may have been that nobody saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Of which promise.
    pub promise: String,
    /// Which of its effects, from 0.
    pub effect: usize,
    /// Why they were not seen.
    pub why: String,
}

/// Something was still in flight when all had its time: it may be done, or done again, later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFlight {
    /// What.
    pub why: String,
}

/// A fact, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// What is promised.
    Promise(Promise),
    /// An operation is about a promise.
    Asked(Asked),
    /// An effect was seen.
    Effect(Effect),
    /// Effects may have been there that nobody saw.
    Gap(Gap),
    /// Something may come after the end.
    InFlight(InFlight),
}

impl Known {
    /// A fact of these; `None` for another's.
    ///
    /// # Errors
    /// It has another shape.
    pub fn of(Fact { word, record }: &Fact) -> Result<Option<Self>, serde_json::Error> {
        let read = match word.as_str() {
            PROMISE => record.read().map(Self::Promise),
            ASKED => record.read().map(Self::Asked),
            EFFECT => record.read().map(Self::Effect),
            GAP => record.read().map(Self::Gap),
            IN_FLIGHT => record.read().map(Self::InFlight),
            _ => return Ok(None),
        };
        read.map(Some)
    }
}
