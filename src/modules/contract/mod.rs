//! What the three services say to the world, as documents made from the types that they speak with.
//!
//! | file | idea |
//! | --- | --- |
//! | `messages` | every message: its schema, its headers, an example |
//! | `asyncapi` | where each goes: an AsyncAPI 3.0 document |
//!
//! `tests/spec.rs` holds both against services that run: what they registered, what they answer.

mod asyncapi;
mod messages;

pub use asyncapi::asyncapi;
pub use messages::{Message, json_schema, messages};
