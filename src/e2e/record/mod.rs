//! The record of a run, as plain data on one clock: written during the run, read by all later
//! stages.
//!
//! | file | idea |
//! | --- | --- |
//! | [`history`] | events of clients, services and faults, as JSON lines |
//! | `seen` | the outcome of a step |
//! | `tape`, `trace` | the timeline of steps and messages, for reports |
//! | `delivery` | what the reply subject of a delivery says |
//! | `carried` | a message that crossed the broker |
//! | `observed`, `traffic` | what a broker has and what crossed it, for hazards |
//! | `hazard` | a hazard that was seen |
//! | `run` | a run by its name, its failure, its logs, its leaks |
//! | `inventory` | the parts of a kept run that are still running |

pub(crate) mod carried;
pub(crate) mod delivery;
pub mod hazard;
pub mod history;
pub(crate) mod inventory;
pub(crate) mod observed;
pub(crate) mod run;
pub(crate) mod seen;
pub(crate) mod tape;
pub(crate) mod trace;
pub(crate) mod traffic;

pub use inventory::{BrokerAt, Inventory, NetworksAt, ServiceAt};
pub use run::Place;
