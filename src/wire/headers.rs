//! Header names of the contract, error codes, and values that cannot break the protocol.

/// `Mono-Error: true` marks a reply that carries an error.
pub const ERROR: &str = "Mono-Error";
/// The kind of the error, one word: see [`ServiceErrorCode::kind`].
pub const ERROR_TYPE: &str = "Mono-Error-Type";
/// The error's text, one line.
pub const ERROR_MESSAGE: &str = "Mono-Error-Message";
/// The error's text, by the NATS service API (ADR-32).
pub const SERVICE_ERROR: &str = "Nats-Service-Error";
/// The error's code, by the NATS service API (ADR-32).
pub const SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";
/// JetStream's deduplication id.
pub const MSG_ID: &str = "Nats-Msg-Id";
/// The requester and its round-trip time: the broker adds it to messages from another account.
pub const REQUEST_INFO: &str = "Nats-Request-Info";
/// JetStream's compare-and-set on the last sequence of a subject.
pub const EXPECTED_LAST_SUBJECT_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
/// JetStream: the atomic batch (ADR-50) that the message is part of.
pub const BATCH_ID: &str = "Nats-Batch-Id";
/// Its number there, from 1.
pub const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
/// `1` with the last one, which has all of them stored.
pub const BATCH_COMMIT: &str = "Nats-Batch-Commit";
/// JetStream: the stream that the message is for; another one refuses it.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
/// Why a message became a dead letter, one line.
pub const DEAD_REASON: &str = "Mono-Dead-Letter-Reason";
/// The kind of the reason, one word: `malformed`, `rejected`, `conflict`, `exhausted`.
pub const DEAD_KIND: &str = "Mono-Dead-Letter-Kind";
/// The stream the message came from.
pub const DEAD_STREAM: &str = "Mono-Dead-Letter-Stream";
/// The subject the message came from.
pub const DEAD_SUBJECT: &str = "Mono-Dead-Letter-Subject";
/// The message's sequence in that stream.
pub const DEAD_SEQUENCE: &str = "Mono-Dead-Letter-Sequence";
/// How often it was delivered.
pub const DEAD_DELIVERIES: &str = "Mono-Dead-Letter-Deliveries";
/// The original's header block in base64, where it could not be read.
pub const DEAD_RAW_HEADERS: &str = "Mono-Dead-Letter-Raw-Headers";
/// The same for a message that is rejected without being stored.
pub const RAW_HEADERS: &str = "Mono-Raw-Headers";
/// How many bytes of base64 there were before they were cut: a stream takes 64 KiB of headers.
pub const RAW_HEADERS_CUT_FROM: &str = "Mono-Raw-Headers-Cut-From";
/// Prefix of the original's `Nats-*` headers in a dead letter: without it they would take effect
/// again.
pub const DEAD_ORIGINAL_PREFIX: &str = "Mono-Original-";

/// How many bytes the body had before it was cut because the reason made the message too large.
pub const CUT_FROM: &str = "Mono-Cut-From";

/// The longest header value that is sent, in bytes.
pub const MAX_VALUE_BYTES: usize = 256;

/// The error codes of the contract (they are HTTP's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceErrorCode {
    /// 400: the request cannot be handled as it is.
    BadRequest,
    /// 500: the handler failed.
    Internal,
    /// 503: overloaded or draining; ask again, perhaps elsewhere.
    Unavailable,
}

impl ServiceErrorCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// The word in `Mono-Error-Type`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why a header cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a token of RFC 9110, section 5.6.2; other client libraries refuse it, or misread it.
    #[error("{0:?} is not a header name: expected letters, digits and !#$%&'*+-.^_`|~")]
    Name(String),
    /// A line break would forge headers, and other control characters are not allowed in a value.
    #[error("the value of header {0} is not one line without control characters")]
    Value(String),
}

/// Checks a header before it is sent.
///
/// # Errors
/// [`HeaderError`] says which of the two is wrong.
///
/// ```
/// use mono_demo::wire::headers::check;
/// assert!(check("Trace-Id", "abc").is_ok());
/// assert!(check("Trace-Id", "abc\r\nMono-Error: true").is_err());
/// ```
pub fn check(name: &str, value: &str) -> Result<(), HeaderError> {
    let in_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(in_token) {
        return Err(HeaderError::Name(bounded(name, 80)));
    }
    if value.chars().any(char::is_control) {
        return Err(HeaderError::Value(name.to_owned()));
    }
    Ok(())
}

/// One line, free of control characters, at most [`MAX_VALUE_BYTES`]: fit for a header or a log.
///
/// ```
/// use mono_demo::wire::headers::one_line;
/// assert_eq!(one_line("a\r\nMono-Error: no"), "a  Mono-Error: no");
/// ```
pub fn one_line(text: &str) -> String {
    bounded(text, MAX_VALUE_BYTES)
}

/// As [`one_line`], bounded to `max_bytes`; a cut is marked with `…`.
pub fn bounded(text: &str, max_bytes: usize) -> String {
    let clean = text.chars().map(|c| if is_unsafe(c) { ' ' } else { c });
    let mut out = String::new();
    for c in clean {
        if out.len() + c.len_utf8() > max_bytes.saturating_sub('…'.len_utf8()) {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out.trim().to_owned()
}

/// Control characters, line separators and the marks that reorder text on a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_bounded_line() {
        assert_eq!(one_line("plain"), "plain");
        assert_eq!(one_line("\u{1b}[31mred\u{7}"), "[31mred");
        assert!(one_line(&"é".repeat(500)).len() <= MAX_VALUE_BYTES);
        assert!(one_line(&"é".repeat(500)).ends_with('…'));
    }
}
