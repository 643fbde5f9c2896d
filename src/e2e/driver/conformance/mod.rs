//! What a driver must do, checked one promise at a time: for whoever writes one.
//!
//! | file | idea |
//! | --- | --- |
//! | `bench` | the other side: a broker, a connection of our own, a stream |
//! | `talk` | a conversation with the driver, and its record |
//! | `list`, `check` | the checks, by name; each of them done |
//! | `document` | the protocol on paper, from its types |
//! | `greeting`, `messages`, `failures`, `ending` | what each of them does |
//!
//! Each check has a driver process of its own, and a failure shows the exchange.

mod bench;
mod check;
mod document;
mod ending;
mod failures;
mod greeting;
mod list;
mod messages;
mod talk;

pub use bench::CheckError;
pub use check::{Checked, Verdict, check, names};
pub use document::{markdown, schema};
