//! Decides checks, from evidence alone, so that each can be shown a doctored one.
//!
//! | file | idea |
//! | --- | --- |
//! | `records` | what is on record in NATS |
//! | `answer` | what a check comes to |
//! | `drift` | messages on a subject against a schema |
//! | `judged` | what the judge of the history says |

pub(crate) mod answer;
pub(crate) mod drift;
pub(crate) mod held;
pub(crate) mod judged;
pub(crate) mod records;
