//! The history of a run: events on one clock, as JSON lines.
//!
//! A run is recorded by a [`Recorder`] and read back as a [`History`]. A timeout is unknown and never a
//! failure: what it was about may have happened.
//!
//! | file | idea |
//! | --- | --- |
//! | `event`, `line`, `amount` | what a line says |
//! | `recorder`, `clock`, `operation`, `reader` | to a file and back |

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
pub use operation::{Operation, Target};
pub use reader::{History, ReadError};
pub use recorder::{RecordError, Recorder};
