//! Decides checks, from evidence alone, so that each can be shown a doctored journal.
//!
//! | file | idea |
//! | --- | --- |
//! | `look` | when they look, and at what |
//! | `effects` | what was done outside NATS |
//! | `records` | what is on record in NATS |
//! | `judged` | what the judge of the history says |

pub(crate) mod effects;
pub(crate) mod judged;
pub(crate) mod look;
pub(crate) mod records;
