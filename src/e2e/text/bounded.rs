//! Long texts, shown by their beginning.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Longer texts are shown by their beginning, their length and their SHA-256.
const LONGEST: usize = 2000;

/// So much of a body is shown, characters.
const EXCERPT: usize = 160;

/// The whole text, or its beginning, its length and its SHA-256.
pub(in crate::e2e) fn bounded(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(80).collect();
    format!("{beginning}… ({} bytes, sha256 {})", text.len(), digest(text.as_bytes()))
}

/// The beginning of a SHA-256, hexadecimal.
pub(in crate::e2e) fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes)[..8])
}

/// The beginning of a body, with a mark where there is more.
pub(in crate::e2e) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT).collect();
    if text.chars().count() > EXCERPT {
        shown.push('…');
    }
    shown
}
