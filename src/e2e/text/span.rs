//! Places in texts.

/// A place in a fixture's text, in bytes.
pub type Span = std::ops::Range<usize>;
