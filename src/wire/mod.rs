//! What crosses a process boundary: subjects, headers, error codes, journals, the driver protocol.
//!
//! Nothing here knows a broker or a runtime; every type is plain data with a documented JSON form.

pub mod context;
pub mod control;
pub mod driver;
pub mod headers;
pub mod journal;
#[cfg(feature = "schema")]
pub mod paper;
pub mod subjects;
mod unreadable;

pub use unreadable::{Unreadable, readable};
