//! What was heard on a running system, in its order.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::e2e::text::data::Data;
use crate::wire::driver::Headers;

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The messages on the subjects, in the order in which they came.
    pub(super) messages: Vec<Heard>,
    /// The streams that hold such messages.
    pub(super) streams: Vec<Holding>,
    /// What could not be heard, and why, in the server's words.
    pub(super) unheard: Vec<String>,
    /// Whether replies were among that.
    pub(super) misses_replies: bool,
    /// Why it ended.
    pub(super) end: End,
}

impl Recording {
    /// How many messages there are, without replies.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// What could not be heard.
    #[must_use]
    pub fn unheard(&self) -> &[String] {
        &self.unheard
    }

    /// Why it ended.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.end
    }
}

/// Why a recording ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum End {
    /// Somebody said so, or its time was up.
    #[default]
    Asked,
    /// So many messages were wanted.
    Enough,
    /// More bytes are not kept.
    Full,
    /// What came afterwards was not heard, and why.
    Lost(&'static str),
}

/// One message on the subjects.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// When: the number of what was heard, replies and acknowledgements among it.
    pub(super) at: u64,
    pub(super) subject: String,
    pub(super) reply_to: Option<String>,
    pub(super) content: Content,
    /// What came to its reply subject.
    pub(super) replies: Vec<Reply>,
    /// In which stream, under which number.
    pub(super) stored: Option<(String, u64)>,
    /// When the last of those who work on what is stored was done with it.
    pub(super) done: Option<u64>,
    /// Which programs ask for the messages of the consumer that was done with it, where their inboxes tell.
    pub(super) workers: BTreeSet<String>,
    /// Whether somebody may still answer it: the recording ended too soon after it.
    pub(super) under_way: bool,
}

/// Headers and a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Content {
    pub(super) headers: Headers,
    pub(super) body: Data,
    /// How many bytes the body had.
    pub(super) bytes: usize,
}

/// A reply to a message.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) at: u64,
    pub(super) content: Content,
    /// What a stream says that has stored the message, or its words where it did not.
    pub(super) ack: Option<Ack>,
}

/// A stream's answer to a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ack {
    Stored { stream: String, sequence: u64, duplicate: bool },
    Refused,
}

/// A stream that holds messages on the subjects.
#[derive(Debug, Clone, Default)]
pub(super) struct Holding {
    pub(super) name: String,
    /// As JetStream has it.
    pub(super) config: Map<String, Value>,
    /// How many messages it had when the recording began.
    pub(super) messages: u64,
    /// Its durable consumers, as JetStream has them.
    pub(super) consumers: Vec<Map<String, Value>>,
}
