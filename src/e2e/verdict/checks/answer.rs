//! What a check comes to.

/// What holds, a line each for the transcript; or why it does not.
pub(in crate::e2e) type Answer = Result<Vec<String>, String>;
