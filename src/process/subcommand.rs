//! The hidden argument that makes the binary a reaper.

/// The hidden first argument that makes the binary a reaper.
pub const SUBCOMMAND: &str = "__reap";
