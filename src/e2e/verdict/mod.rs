//! TODO

pub(crate) mod checks;
pub mod event;
pub(crate) mod figures;
pub(crate) mod gap;
pub(crate) mod golden;
pub(crate) mod index;
pub(crate) mod outcome;
pub(crate) mod policy;
pub(crate) mod promises;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod transcript;
pub(crate) mod verdict;

pub use golden::{Comparison, Golden, SnapshotError};
pub use policy::{Policy, QueueLoss};
pub use report::{Report, check};
pub use verdict::{Breach, Property, Verdict, Violation};
