//! What a bench is made of: loads on a broker, interleaved rounds, and rows of a report, in which each
//! figure stands beside a floor of the same run.
//!
//! | file | idea |
//! | --- | --- |
//! | `load` | so many requests or messages, some of them in flight; each answer is looked at |
//! | `slots` | the same requests by reply subjects that are used again |
//! | `peer` | the smallest programs that could do the same: the floors |
//! | `histogram` | many durations, and a few numbers of a figure |
//! | `rounds` | contenders take turns |
//! | `report` | rows and sections, for people and for machines |

mod error;
mod histogram;
mod load;
mod peer;
mod report;
mod rounds;
mod slots;

pub use error::BenchError;
pub use histogram::{Histogram, Spread};
pub use load::{Asking, Took, by_request, publish_all, store_all};
pub use peer::{COUNT, ECHO, Peer, count_of};
pub use report::{Report, Row, Section, Unit};
pub use rounds::{Latency, Turn, Turns, interleaved};
pub use slots::by_slots;
