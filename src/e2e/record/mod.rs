//! What happened in a run, as plain data on one clock: written while it goes on, read by everybody.
//!
//! | file | idea |
//! | --- | --- |
//! | [`history`] | events of clients, services and faults, as JSON lines |
//! | `seen` | what a step came to |
//! | `tape`, `trace` | what was done when, for reports that draw |
//! | `carried` | a message that crossed the broker |
//! | `run` | a run by its name, its failure, its logs, what it left behind |
//! | `inventory` | what there is of a run that stays up |

pub(crate) mod carried;
pub mod history;
pub(crate) mod inventory;
pub(crate) mod run;
pub(crate) mod seen;
pub(crate) mod tape;
pub(crate) mod trace;

pub use inventory::{BrokerAt, Inventory, NetworksAt, ServiceAt};
pub use run::Place;
