//! A number and its word: `1 order`, `2 orders`.

/// The word with an `s` unless there is one of them.
pub fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
