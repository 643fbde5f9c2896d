//! Scenarios.
pub mod driver;
pub mod event;
pub mod fixture;
pub mod matcher;
pub mod redact;
pub mod seen;
pub mod snapshot;
pub mod transcript;
