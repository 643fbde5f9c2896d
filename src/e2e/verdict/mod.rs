//! TODO

pub(crate) mod checks;
pub(crate) mod figures;
pub(crate) mod gap;
pub(crate) mod golden;
pub(crate) mod index;
pub(crate) mod promises;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod transcript;
pub(crate) mod verdict;

pub use golden::{Comparison, Golden, SnapshotError};
pub use report::{Policy, QueueLoss, Report, check};
pub use schema::Schemas;
pub use verdict::{Breach, Property, Verdict, Violation};
