//! The contract of the three services, as documents generated from the types of their messages.
//!
//! | file | idea |
//! | --- | --- |
//! | `messages` | every message: its schema, its headers, an example |
//! | `asyncapi` | where each goes: an AsyncAPI 3.0 document |
//!
//! `tests/spec.rs` compares both with running services: their registrations and their replies.

mod asyncapi;
mod messages;

pub use asyncapi::asyncapi;
pub use messages::{Message, json_schema, messages};
