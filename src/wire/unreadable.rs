//! The unreadable parts of a message: its header block, its subject or its reply subject.
//!
//! The client library delivers such a message with one marker header that holds the raw bytes (see
//! `vendor/README.md`). This is the one place that knows the marker.

use std::fmt;

use async_nats::{HeaderMap, HeaderName};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::headers::{MAX_VALUE_BYTES, REQUEST_INFO};

/// The value of `async_nats::unreadable::MARKER`, written out so that this compiles with the
/// published crate too, which never sets it.
const MARKER: HeaderName = HeaderName::from_static(":unreadable");
/// How much of an unreadable part is shown, in characters.
const SHOWN: usize = 100;

/// The unreadable parts of a message, with their bytes.
///
/// Its `Display` is one bounded line that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// `headers`, `subject` or `reply`.
    what: String,
    base64: String,
    why: String,
}

impl Unreadable {
    /// The unreadable parts of a message with these headers; `None` if all could be read.
    pub fn of(headers: Option<&HeaderMap>) -> Option<Self> {
        let headers = headers?;
        headers.get(MARKER)?;
        let parts = headers.get_all(MARKER).filter_map(|value| {
            let mut words = value.as_str().splitn(3, ' ').map(str::to_owned);
            let (what, base64, why) = (words.next()?, words.next()?, words.next()?);
            Some(Part { what, base64: without_request_info(base64), why })
        });
        Some(Self { parts: parts.collect() })
    }

    /// The header block as it was sent, in base64, if it could not be read.
    pub fn headers_base64(&self) -> Option<&str> {
        self.parts.iter().find(|part| part.what == "headers").map(|part| part.base64.as_str())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.parts.iter().enumerate() {
            let what = match part.what.as_str() {
                "headers" => "the headers",
                "reply" => "the reply subject",
                _ => "the subject",
            };
            let separator = if n == 0 { "" } else { "; " };
            let excerpt = excerpt(&part.base64);
            write!(f, "{separator}{what} cannot be read: {} ({excerpt})", part.why)?;
        }
        Ok(())
    }
}

/// The first bytes, escaped: `X: a\rb`.
fn excerpt(base64: &str) -> String {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    // The first line of a block says nothing where it is as it should be.
    let bytes = bytes.strip_prefix(b"NATS/1.0\r\n").unwrap_or(&bytes);
    // Between backticks, where it is quoted.
    let escaped = bytes.escape_ascii().to_string().replace('`', r"\x60");
    match escaped.len() <= SHOWN {
        true => escaped,
        false => format!("{}…", &escaped[..SHOWN]),
    }
}

/// Headers without the marker, and without the broker's line about the sender, which only the
/// receiving service may see: they may be stored and sent on.
pub fn readable(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[async_nats::HeaderValue])> {
    headers
        .iter()
        .filter(|(name, _)| **name != MARKER)
        .map(|(name, values)| (name.as_ref(), values.as_slice()))
        .filter(|(name, _)| *name != REQUEST_INFO)
}

/// Removes the broker's line about the sender from a block in base64: the sender did not write it.
fn without_request_info(base64: String) -> String {
    let Ok(block) = STANDARD.decode(&base64) else { return base64 };
    // The broker writes its line last, directly after the end of a broken block.
    let begins = format!("{REQUEST_INFO}: {{");
    let at = block.windows(begins.len()).rposition(|bytes| bytes == begins.as_bytes());
    let Some(at) = at else { return base64 };
    let line = &block[at..];
    let end = line.windows(2).position(|bytes| bytes == b"\r\n").unwrap_or(line.len());
    // With the line break before it, where it has one; the one behind it ends the block.
    let at = if block[..at].ends_with(b"\r\n") { at - 2 } else { at };
    STANDARD.encode([&block[..at], &line[end..]].concat())
}

// A part is shown in one line of an error reply, so its text must fit there.
const _: () = assert!(SHOWN + 120 < MAX_VALUE_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(part: &str, bytes: &[u8], why: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(MARKER, format!("{part} {} {why}", STANDARD.encode(bytes)));
        headers
    }

    #[test]
    fn what_the_broker_says_of_the_sender_is_for_nobody_else() {
        let mut headers = marked(
            "headers",
            b"NATS/1.0\r\nX: a\rb\r\nNats-Request-Info: {\"acc\":\"c\"}\r\n\r\n",
            "bad",
        );
        headers.insert(REQUEST_INFO, "{}");
        headers.insert("X", "x");
        let kept = Unreadable::of(Some(&headers)).unwrap();
        let block = STANDARD.decode(kept.headers_base64().unwrap()).unwrap();
        assert_eq!(block, b"NATS/1.0\r\nX: a\rb\r\n\r\n");
        let broken = b"NATS/1.0\r\nX: a\rbNats-Request-Info: {\"acc\":\"c\"}\r\n\r\n";
        let kept = Unreadable::of(Some(&marked("headers", broken, "bad"))).unwrap();
        let block = STANDARD.decode(kept.headers_base64().unwrap()).unwrap();
        assert_eq!(block, b"NATS/1.0\r\nX: a\rb\r\n\r\n");
        assert_eq!(readable(&headers).map(|(name, _)| name).collect::<Vec<_>>(), ["X"]);
    }

    #[test]
    fn what_could_not_be_read_is_named_on_one_bounded_line() {
        assert_eq!(Unreadable::of(None), None);
        assert_eq!(Unreadable::of(Some(&HeaderMap::new())), None);
        let headers = marked("headers", b"NATS/1.0\r\nX: a\rb\r\n\r\n", "a bad value");
        let unreadable = Unreadable::of(Some(&headers)).unwrap();
        let said = r"the headers cannot be read: a bad value (X: a\rb\r\n\r\n)";
        assert_eq!(unreadable.to_string(), said);
        assert_eq!(readable(&headers).count(), 0);
        let long = marked("subject", &[0xff; 10_000], "not UTF-8");
        let said = Unreadable::of(Some(&long)).unwrap().to_string();
        assert!(said.len() < MAX_VALUE_BYTES && said.is_ascii() || said.contains('…'), "{said}");
    }
}
