//! How the binary is told to be a reaper.

/// The hidden first argument that makes the binary a reaper.
pub const SUBCOMMAND: &str = "__reap";
