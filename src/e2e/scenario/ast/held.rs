//! What checks expect of streams, buckets, consumers and of what services print.

use serde_json::Value;

/// What a stream holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamCheck {
    /// Its name.
    pub name: String,
    /// So many messages.
    pub messages: Option<u64>,
    /// On so many different subjects.
    pub subjects: Option<u64>,
    /// So many on each of these; wildcards are allowed.
    pub by_subject: Vec<(String, u64)>,
    /// No two messages have the same value at this JSON pointer.
    pub unique: Option<String>,
    /// Pattern over the body of every message.
    pub each: Option<Value>,
    /// Pattern over the headers of every message.
    pub headers: Option<Value>,
    /// Pattern over the body of the last message.
    pub last: Option<Value>,
}

impl StreamCheck {
    /// Whether the messages themselves are looked at.
    pub fn reads(&self) -> bool {
        let patterns = [&self.each, &self.headers, &self.last].into_iter().any(Option::is_some);
        patterns || self.unique.is_some() || !self.by_subject.is_empty()
    }
}

/// What a bucket holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KvCheck {
    /// Its name.
    pub bucket: String,
    /// So many keys have a value.
    pub keys: Option<u64>,
    /// This key.
    pub key: Option<String>,
    /// Pattern over its value; `"#absent"`: it has none.
    pub value: Option<Value>,
    /// Pattern over the revision of its value.
    pub revision: Option<Value>,
    /// Pattern over all its values that the bucket keeps, oldest first.
    pub values: Option<Value>,
}

/// What a service has printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCheck {
    /// Its name.
    pub service: String,
    /// A regular expression, found in a line.
    pub matches: String,
    /// So many lines; at least one where `None`.
    pub count: Option<u64>,
}

/// What a consumer has left, and what it gave up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerCheck {
    /// Its name.
    pub name: String,
    /// Its stream.
    pub stream: String,
    /// Messages that it has not delivered yet.
    pub pending: Option<u64>,
    /// Messages that were delivered and not acknowledged.
    pub unacknowledged: Option<u64>,
    /// Of these, messages that were delivered more than once.
    pub redelivered: Option<u64>,
    /// Messages that a worker has terminated (`+TERM`).
    pub terminated: Option<u64>,
    /// Messages whose deliveries are used up (`max_deliver`).
    pub exhausted: Option<u64>,
}
