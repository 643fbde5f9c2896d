//! What a run's broker has at its end, for whoever looks for hazards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All of it.
#[derive(Debug, Default)]
pub struct Observed {
    /// Streams, without those below buckets and object stores.
    pub streams: Vec<StreamSeen>,
    /// Consumers, once all steps and checks were done.
    pub consumers: Vec<ConsumerSeen>,
    /// Consumers that are still there when everybody has gone.
    pub left: BTreeSet<(String, String)>,
    /// Messages whose deliveries were used up, by stream and consumer.
    pub exhausted: BTreeMap<(String, String), Vec<u64>>,
    /// Subjects that services listened to while they were up, with the queue group if there is one.
    pub subscriptions: Vec<(String, Option<String>)>,
    /// Which service had a port, as far as that is known.
    pub services: BTreeMap<u16, String>,
    /// Services that did not keep up: whose connection, and the server's words.
    pub slow: BTreeSet<(String, String)>,
}

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct StreamSeen {
    /// Its name.
    pub name: String,
    /// Something bounds it: a limit, or a retention that removes what is handled.
    pub is_bounded: bool,
    /// It is kept in the memory of one server.
    pub is_in_memory: bool,
    /// All that is in it was published to it: it is no mirror, and takes from no other stream.
    pub is_published_to: bool,
    /// What was published within so long with one message id is stored once.
    pub duplicate_window: Duration,
    /// What it takes in.
    pub subjects: Vec<String>,
    /// What it holds, as far as it was read.
    pub stored: Vec<StoredSeen>,
}

/// A message of a stream.
#[derive(Debug, Clone, Default)]
pub struct StoredSeen {
    /// Its sequence.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// It has a `Nats-Msg-Id`.
    pub has_id: bool,
    /// When it was stored, since 1970.
    pub at: Duration,
    /// Its body.
    pub body: Vec<u8>,
}

/// A consumer.
#[derive(Debug, Clone, Default)]
pub struct ConsumerSeen {
    /// The stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// It stays until somebody deletes it.
    pub is_durable: bool,
    /// It is removed once nobody has used it for so long.
    pub inactive_threshold: Duration,
    /// How long the server waits for an acknowledgement.
    pub ack_wait: Duration,
    /// Each message is acknowledged by itself.
    pub is_explicit: bool,
    /// So many messages may be unacknowledged at once; `None` is any number.
    pub max_ack_pending: Option<usize>,
}
