//! A number and its word: `1 payment`, `2 payments`.

use std::fmt::Display;

/// The word in the plural unless there is one of them.
///
/// ```
/// use mono_demo::counted::counted;
/// assert_eq!(counted(1, "dead letter"), "1 dead letter");
/// assert_eq!(counted(2_u64, "process"), "2 processes");
/// assert_eq!(counted(3, "delivery"), "3 deliveries");
/// assert_eq!(counted(3, "key"), "3 keys");
/// ```
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, word: &str) -> String {
    if number == N::from(1) {
        return format!("{number} {word}");
    }
    let stem = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        Some(stem) => format!("{number} {stem}ies"),
        None if word.ends_with('s') => format!("{number} {word}es"),
        None => format!("{number} {word}s"),
    }
}
