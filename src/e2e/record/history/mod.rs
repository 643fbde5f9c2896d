//! The history of a run: events on one clock, as JSON lines.
//!
//! A run is recorded by a [`Recorder`] and read back as a [`History`]. A timeout is an unknown
//! outcome and never a failure: the operation may have happened.
//!
//! | file | idea |
//! | --- | --- |
//! | `event`, `line`, `json`, `text` | the content of a line |
//! | `recorder`, `clock`, `operation`, `reader` | writing to a file, and reading it |

pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod operation;
pub(crate) mod reader;
pub(crate) mod recorder;
pub(crate) mod text;

pub use event::{
    About, Answers, DELIVERIES, DUPLICATE, Delivery, End, Event, Fact, Fault, Hit, Invoke, Kind,
    OPERATIONS, Phase, Refusal, Reply, What,
};
pub use json::Json;
pub use operation::Operation;
pub use reader::{History, ReadError};
pub use recorder::{RecordError, Recorder};
pub use text::Text;
