//! Scenarios.
pub mod fixture;
pub mod matcher;
