//! A delivery of a stored message.

use std::sync::Arc;

use async_nats::HeaderMap;
use bytes::Bytes;

/// One delivery of a stored message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The body as it was published.
    pub body: Bytes,
    /// Its headers.
    pub headers: Option<HeaderMap>,
    /// The subject it was published on.
    pub subject: String,
    /// The stream that holds it.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// When the stream stored it, nanoseconds since 1970.
    pub stored_ns: i128,
    /// How often it was delivered, this one included.
    pub deliveries: u64,
    /// Who handles it.
    pub worker: Arc<str>,
}

impl Delivery {
    /// As [`message_name`].
    pub(crate) fn name(&self) -> String {
        message_name(self.sequence, self.stored_ns)
    }
}

/// A stored message's name in the subjects of its dead letter and its failures: its number, and when it
/// was stored, in nanoseconds since 1970, for a stream that is made anew counts from 1 again.
pub(crate) fn message_name(sequence: u64, stored_ns: i128) -> String {
    format!("{sequence}-{stored_ns}")
}
