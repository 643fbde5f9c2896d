//! What is left behind at a broker: connections, subscriptions, messages that nobody acknowledged.
//!
//! | file | idea |
//! | --- | --- |
//! | `http` | asks a server's monitoring port |
//! | `report` | its answers as typed data |

mod http;
mod report;

pub use http::MonitorError;
pub use report::{ClientConnection, ConsumerState, LeakReport, Share};
