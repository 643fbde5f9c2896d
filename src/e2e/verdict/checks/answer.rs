//! What a check comes to.

/// What holds, a line each for the transcript; or why it does not.
pub type Answer = Result<Vec<String>, String>;
