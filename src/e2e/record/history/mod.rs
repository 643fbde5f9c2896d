//! The record of a run, and what it proves: events on one clock, checked by pure functions.
//!
//! A run is recorded by a [`Recorder`] as JSON lines, read back by [`History`], and judged by
//! [`check`] into a [`Report`]: valid, invalid with the smallest piece of history that shows it,
//! or unknown with what is missing. A timeout is unknown and never a failure: what it was about
//! may have happened. Nothing here knows a broker, a service or a reporter.
//!
//! | file | idea |
//! | --- | --- |
//! | `event`, `line`, `amount` | what a line says |
//! | `recorder`, `clock`, `operation`, `reader` | to a file and back |
//! | `index` | by operation, payment and message |
//! | `check` | a promise a file |
//! | `verdict`, `report`, `figures`, `gap` | what came of it |

pub(crate) mod amount;
pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod line;
pub(crate) mod operation;
pub(crate) mod reader;
pub(crate) mod recorder;

pub use amount::Amount;
pub use event::{
    Charge, DeadLetter, Delivery, Email, End, Event, Fault, Invoke, Kind, Outcome, Payment, Phase,
    Reading, Records, Refusal, Reply, Status, What,
};
pub use reader::History;
