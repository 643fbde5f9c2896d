//! Errors of the client library, which often says a thing as the kind of an error and again as its cause.

use std::fmt::Display;

/// What it says, once.
///
/// ```
/// # use mono_demo::mono::said_once;
/// assert_eq!(said_once("no responders: no responders"), "no responders");
/// assert_eq!(said_once("timed out: nats: timed out"), "timed out");
/// assert_eq!(said_once("IO error: timed out"), "IO error: timed out");
/// ```
#[must_use]
pub fn said_once(error: impl Display) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((kind, cause)) if cause.strip_prefix("nats: ").unwrap_or(cause) == kind => {
            kind.to_owned()
        }
        _ => text,
    }
}
