//! Values of TOML with their places.

use toml::{Spanned, de::DeValue};

/// A value with its place.
pub type Item<'i> = Spanned<DeValue<'i>>;
