//! TODO

pub(crate) mod carried;
pub mod history;
pub(crate) mod inventory;
pub(crate) mod run;
pub(crate) mod seen;
pub(crate) mod tape;
pub(crate) mod trace;

pub use inventory::Inventory;
pub use run::Place;
