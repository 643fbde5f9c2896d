//! TODO

pub(crate) mod event;
pub mod history;
pub(crate) mod inventory;
pub(crate) mod outcome;
pub(crate) mod seen;
pub(crate) mod tape;
pub(crate) mod trace;

pub use event::{Place, Summary, Verdict};
pub use inventory::Inventory;
