//! The Python client's environment: what it needs.

/// The pinned requirements of `client/`, with hashes.
pub const REQUIREMENTS: &str = include_str!("../../client/requirements.txt");
