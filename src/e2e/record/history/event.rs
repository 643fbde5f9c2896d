//! The events of a history, on one clock, each a line of JSON.
//!
//! ```json
//! {"seq":1,"at_ns":1200,"invoke":{"process":"client-1","op":1,"kind":"submit","subject":"orders.new","about":{"of":"order","key":"o-7","content":{"pieces":2}}}}
//! {"seq":2,"at_ns":9100,"ok":{"process":"client-1","op":1,"sequence":1}}
//! {"seq":3,"at_ns":9900,"shipped":{"order":"o-7","worker":"w-1"}}
//! ```
//! Beside `seq` and `at_ns` a line has exactly one key, which says what happened. A key that is none of
//! [`What`]'s own is the word of a [`Fact`].

use std::collections::BTreeSet;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::json::Json;
use crate::wire::journal::DeliveryRecord;

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Order of recording, from 1 without a gap. If one operation returned before another one was
    /// invoked, its event has the smaller number.
    pub seq: u64,
    /// When it happened, nanoseconds since the start of the run. An event that was read from a
    /// journal afterwards happened before it was recorded.
    pub at_ns: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A client begins an operation.
    Invoke(Invoke),
    /// It happened.
    Ok(Reply),
    /// It certainly did not happen.
    Fail(Refusal),
    /// It may have happened: a timeout, a connection that broke.
    Unknown(Refusal),
    /// Several replies came to the inbox of one request.
    Answers(Answers),
    /// A worker was handed a message.
    Delivery(Delivery),
    /// What an oracle learned of the services.
    Fact(Fact),
    /// A fault begins or ends.
    Fault(Fault),
    /// The run is over, and these records are complete.
    End(End),
}

/// What an oracle learned of the services: a line of a journal, a message in a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// What kind of fact: the key of the line. One oracle knows it, and the shape of the record.
    pub word: String,
    /// The fact itself.
    pub record: Json,
}

/// A table with one key.
impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(1))?;
        match self {
            Self::Invoke(invoke) => line.serialize_entry("invoke", invoke),
            Self::Ok(reply) => line.serialize_entry("ok", reply),
            Self::Fail(refusal) => line.serialize_entry("fail", refusal),
            Self::Unknown(refusal) => line.serialize_entry("unknown", refusal),
            Self::Answers(answers) => line.serialize_entry("answers", answers),
            Self::Delivery(delivery) => line.serialize_entry("delivery", delivery),
            Self::Fact(fact) => line.serialize_entry(&fact.word, &fact.record),
            Self::Fault(fault) => line.serialize_entry("fault", fault),
            Self::End(end) => line.serialize_entry("end", end),
        }?;
        line.end()
    }
}

/// A client begins an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    /// Which client.
    pub process: String,
    /// Unique in the history.
    pub op: u64,
    /// What it does.
    pub kind: Kind,
    /// Where to.
    pub subject: String,
    /// What it is about, where an oracle knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// What an operation is about: an oracle identifies things by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What kind of thing: an order, a message.
    pub of: String,
    /// Which one. Deliveries name it so too.
    pub key: String,
    /// Further data that the oracle compares, in its own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Json>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Request-reply.
    Request,
    /// Core publish, flushed.
    Publish,
    /// JetStream publish that waits for its acknowledgement.
    Submit,
    /// Reads a status.
    Status,
}

/// An operation that happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Which client.
    pub process: String,
    /// Which operation.
    pub op: u64,
    /// Of a submit: the message's sequence in its stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Of a submit: the message id was known, and nothing was stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Of a status: what it said, as its oracle reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Json>,
}

/// An operation that did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Which client.
    pub process: String,
    /// Which operation.
    pub op: u64,
    /// The client library's words, one line.
    pub reason: String,
}

/// Several replies came to the inbox of one request, the first of them at [`Event::at_ns`]. A client takes
/// that one, and shows no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Where they came.
    pub inbox: String,
    /// The start of its body.
    pub first: String,
    /// That of the one after it.
    pub second: String,
    /// How many came.
    pub in_all: u64,
}

/// A worker was handed a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Who got it.
    pub worker: String,
    /// The subject it came on.
    pub subject: String,
    /// Which message: as in [`About::key`].
    pub message: String,
    /// The queue group that it was spread over; absent for a subscriber of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_group: Option<String>,
    /// Its sequence in a stream; absent in core NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// 1 the first time.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u64,
}

fn first() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_first(attempt: &u64) -> bool {
    *attempt == 1
}

/// One end of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `kill-broker`, `pause-services`, …
    pub name: String,
    /// Which end of it.
    pub phase: Phase,
    /// The message that it hit, where it hits messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit: Option<Hit>,
}

/// A message that a fault hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hit {
    /// What became of it: `lose`, `delay`, `duplicate`, …
    pub fate: String,
    /// What it was: `publish`, `reply`, …; older histories do not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its subject, or that of what it answered.
    pub subject: String,
}

/// The fate of a message that came twice.
pub const DUPLICATE: &str = "duplicate";
/// The fate of one that never came.
pub const LOSE: &str = "lose";
/// The kind of one that answers another.
pub const REPLY: &str = "reply";

/// The two ends of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is broken from here on.
    Begin,
    /// The fault has ended: the broker answers again, the process runs again.
    End,
}

/// The run is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The complete records, by the names that [`DELIVERIES`] and the oracles give them: an event
    /// that they do not have did not happen.
    pub whole: BTreeSet<String>,
    /// By how much the machine's clock was moved against the run's own meanwhile, microseconds. Absent
    /// where nobody looked, or where not all times are of one machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks_us: Option<u64>,
    /// Why second replies to requests were not listened to; absent where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<String>,
    /// Whoever did the operations noted them, and no reply was listened for: that there was one each is
    /// not asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noted: bool,
}

/// The record of deliveries to workers.
pub const DELIVERIES: &str = "deliveries";

/// The record of operations. It is complete unless a program of a `run` step acted unrecorded. Only
/// if it is complete, an effect without a recorded operation is one that nobody asked for.
pub const OPERATIONS: &str = "operations";

impl From<&DeliveryRecord> for Delivery {
    fn from(record: &DeliveryRecord) -> Self {
        Self {
            worker: record.worker.clone(),
            subject: record.subject.clone(),
            message: record.message.clone(),
            queue_group: record.queue_group.clone(),
            sequence: record.sequence,
            attempt: record.attempt,
        }
    }
}
