//! Broken on purpose: what can be broken, as data, and one handle that breaks it.
//!
//! | file | idea |
//! | --- | --- |
//! | `fault` | what breaks, how, whom it hits and how long it lasts |
//! | `handle` | breaks and mends: servers, networks, service processes |
//! | `messages` | what a fault by message has begun, in words |
//! | `reach` | whether a fault of a network has reached anybody |
//! | `servers` | what a fault means to one server, and to a cluster |
//! | `services` | what it means to service processes |
//! | `error` | why something did not break or mend as asked |

mod error;
mod fault;
mod handle;
mod messages;
mod reach;
mod servers;
mod services;

pub use error::FaultError;
pub use fault::{Fault, PartOf, Side, What};
pub use handle::Faults;
pub use reach::Reach;
pub use servers::Servers;
pub use services::ServiceProcesses;
