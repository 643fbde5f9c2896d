//! What steps do beside sending messages: entries of buckets, objects, requests to a web side.

use serde_json::Value;

use super::payload::Payload;
use crate::wire::driver::Headers;

/// One thing that is done with a key-value bucket.
#[derive(Debug, Clone)]
pub struct Kv {
    /// The bucket.
    pub bucket: String,
    /// What is done.
    pub does: KvVerb,
    /// The key; to watch, wildcards are allowed.
    pub key: String,
    /// What is written.
    pub value: Payload,
    /// Of an update: the revision that it replaces, a number or `{{name}}`.
    pub revision: Option<Value>,
}

/// What can be done with a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvVerb {
    /// The newest value.
    Get,
    /// A new value, whatever is there.
    Put,
    /// A first value; there must be none.
    Create,
    /// A new value in place of a revision that is known.
    Update,
    /// A mark that there is none.
    Delete,
    /// The next change since the scenario began.
    Watch,
}

impl KvVerb {
    /// All of them, with their words.
    pub const ALL: [(&str, Self); 6] = [
        ("get", Self::Get),
        ("put", Self::Put),
        ("create", Self::Create),
        ("update", Self::Update),
        ("delete", Self::Delete),
        ("watch", Self::Watch),
    ];

    /// As in a step.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, verb)| *verb == self).map_or("", |(word, _)| word)
    }

    /// Whether it writes a value.
    pub fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Create | Self::Update)
    }
}

/// One thing that is done with an object store.
#[derive(Debug, Clone)]
pub struct Object {
    /// The store.
    pub store: String,
    /// The object's name.
    pub name: String,
    /// What it is to be; `None` reads it.
    pub put: Option<Payload>,
}

/// A request to the web side of a service.
#[derive(Debug, Clone)]
pub struct Http {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Without TLS.
    pub url: String,
    /// Its body.
    pub body: Payload,
    /// Its headers.
    pub headers: Headers,
}

impl Http {
    /// The methods, by their words in a step.
    pub const METHODS: [(&str, &str); 6] = [
        ("get", "GET"),
        ("head", "HEAD"),
        ("post", "POST"),
        ("put", "PUT"),
        ("patch", "PATCH"),
        ("delete", "DELETE"),
    ];
}
