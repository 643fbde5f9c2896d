//! A fault of a network, and whom it has reached.

use crate::broker::{Fault, Reach};
use crate::e2e::text::span::Span;

/// A fault of a network that was injected.
pub(in crate::e2e) struct Reached {
    pub(in crate::e2e) reach: Reach,
    pub(in crate::e2e) fault: Fault,
    /// Its name in the history.
    pub(in crate::e2e) name: String,
    pub(in crate::e2e) span: Span,
}
