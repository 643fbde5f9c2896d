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
    /// The message's name in the subjects of its dead letter and its failures: a stream that is made
    /// anew counts from 1 again.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.sequence, self.stored_ns)
    }
}
