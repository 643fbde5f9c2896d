//! Decides checks, from evidence alone, so that each can be shown a doctored journal.
//!
//! | file | idea |
//! | --- | --- |
//! | `look` | when they look, and at what |
//! | `effects` | what was done outside NATS |
//! | `records` | what is on record in NATS |
//! | `judged` | what the judge of the history says |

mod effects;
mod judged;
mod look;
mod records;

pub(super) use look::{comes_true, judges_the_history, still_true};
