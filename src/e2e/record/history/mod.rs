//! The history of a run: events on one clock, as JSON lines.
//!
//! A run is recorded by a [`Recorder`] and read back as a [`History`]. A timeout is unknown and never a
//! failure: what it was about may have happened.
//!
//! | file | idea |
//! | --- | --- |
//! | `event`, `line`, `json` | what a line says |
//! | `recorder`, `clock`, `operation`, `reader` | to a file and back |

pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod operation;
pub(crate) mod reader;
pub(crate) mod recorder;

pub use event::{
    About, Answers, DELIVERIES, Delivery, End, Event, Fact, Fault, Invoke, Kind, OPERATIONS, Phase,
    Refusal, Reply, What,
};
pub use json::Json;
pub use operation::Operation;
pub use reader::{History, ReadError};
pub use recorder::{RecordError, Recorder};
