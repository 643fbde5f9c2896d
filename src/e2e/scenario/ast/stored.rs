//! What a broker has before the services start: streams and their consumers, buckets, object stores.

use serde_json::{Map, Value};

/// One stream; a bucket and an object store are streams with settings of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// As it was written: `stream ORDERS`, `kv profiles`, `objects files`.
    pub written: String,
    /// The stream's name.
    pub name: String,
    /// Its settings, as JetStream takes them.
    pub config: Map<String, Value>,
    /// Its consumers, by their names.
    pub consumers: Vec<(String, Map<String, Value>)>,
}
