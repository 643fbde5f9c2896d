//! A dead letter: a message that will not be delivered again, kept with its reason.

use async_nats::HeaderMap;
use bytes::Bytes;

use super::headers::set_header;
use crate::wire::{Unreadable, headers as h, readable};

/// nats-server stores no message with longer headers.
const MAX_STORED_HEADERS: usize = 65_535;

/// Why a message is dead, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadKind {
    /// It cannot be read.
    Malformed,
    /// It can be read and is not acceptable.
    Rejected,
    /// It contradicts what is on record.
    Conflict,
    /// Its deliveries are used up.
    Exhausted,
}

impl DeadKind {
    /// The word in the header [`h::DEAD_KIND`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Exhausted => "exhausted",
        }
    }
}

/// A dead letter as it is stored: the original's body, its headers, and how it came here.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The original's headers and the `Mono-Dead-Letter-*` ones.
    pub headers: HeaderMap,
    /// The original's body; if it had to be cut, [`h::CUT_FROM`] has its length.
    pub body: Bytes,
}

/// Where a dead letter came from.
pub(crate) struct Origin<'a> {
    pub stream: &'a str,
    pub subject: &'a str,
    pub sequence: u64,
    pub deliveries: u64,
}

impl DeadLetter {
    pub(crate) fn new(
        original: Option<&HeaderMap>,
        body: Bytes,
        origin: &Origin<'_>,
        kind: DeadKind,
        reason: &str,
    ) -> Self {
        let mut headers = HeaderMap::new();
        for (name, values) in original.into_iter().flat_map(readable) {
            // A `Nats-*` header would act again (deduplicate, compare-and-set), and ours would be
            // believed: it is kept, renamed.
            let lower = name.to_ascii_lowercase();
            let kept = if lower.starts_with("nats-") || lower.starts_with("mono-") {
                format!("{}{name}", h::DEAD_ORIGINAL_PREFIX)
            } else {
                name.to_owned()
            };
            for value in values {
                headers.append(kept.as_str(), value.clone());
            }
        }
        let unreadable = Unreadable::of(original);
        if let Some(block) = unreadable.as_ref().and_then(Unreadable::headers_base64) {
            headers.insert(h::DEAD_RAW_HEADERS, block);
        }
        set_header(&mut headers, h::DEAD_KIND, kind.as_str());
        set_header(&mut headers, h::DEAD_REASON, reason);
        set_header(&mut headers, h::DEAD_STREAM, origin.stream);
        set_header(&mut headers, h::DEAD_SUBJECT, origin.subject);
        set_header(&mut headers, h::DEAD_SEQUENCE, &origin.sequence.to_string());
        set_header(&mut headers, h::DEAD_DELIVERIES, &origin.deliveries.to_string());
        Self { headers, body }
    }
}

/// Cuts a message that the added reason made too large: first the headers that are not ours, if
/// they are half of it or more, then the end of the body.
pub(crate) fn cut_to_fit(headers: &mut HeaderMap, body: &mut Bytes, max_payload: usize) {
    let most = (max_payload / 2).min(MAX_STORED_HEADERS);
    let length = wire_bytes(headers);
    if length <= MAX_STORED_HEADERS && length + body.len() <= max_payload {
        return;
    }
    if length > most {
        let ours = |name: &str| {
            name.starts_with("Mono-Dead-Letter-")
                || name.starts_with("Mono-Error")
                || name == h::RAW_HEADERS
                || name == h::EXPECTED_LAST_SUBJECT_SEQUENCE
        };
        let mut kept = HeaderMap::new();
        for (name, values) in headers.iter().filter(|(name, _)| ours(name.as_ref())) {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
        *headers = kept;
        for name in [h::DEAD_RAW_HEADERS, h::RAW_HEADERS] {
            cut_value(headers, name, most);
        }
    }
    set_header(headers, h::CUT_FROM, &body.len().to_string());
    body.truncate(max_payload.saturating_sub(wire_bytes(headers)));
}

/// Makes headers fit by the end of one value, which is base64.
fn cut_value(headers: &mut HeaderMap, name: &str, most: usize) {
    let Some(value) = headers.get(name).map(|value| value.as_str().to_owned()) else { return };
    // With room for the headers that say so.
    let excess = (wire_bytes(headers) + 100).saturating_sub(most);
    if excess > 0 {
        let kept = value.len().saturating_sub(excess) / 4 * 4;
        headers.insert(name, &value[..kept]);
        set_header(headers, h::RAW_HEADERS_CUT_FROM, &value.len().to_string());
    }
}

/// How long headers are on the wire: `NATS/1.0`, a line each, an empty line.
fn wire_bytes(headers: &HeaderMap) -> usize {
    let line = |name: &async_nats::HeaderName, value: &async_nats::HeaderValue| {
        AsRef::<str>::as_ref(name).len() + value.as_str().len() + ": \r\n".len()
    };
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |v| line(name, v)));
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_would_act_again_are_renamed_and_the_rest_is_kept() {
        let mut original = HeaderMap::new();
        original.insert("Nats-Msg-Id", "pay-1");
        // Believed, it would never be sent again.
        original.insert(h::CUT_FROM, "9");
        original.append("X-Trace", "a");
        original.append("X-Trace", "b");
        let origin = Origin { stream: "s", subject: "a.b", sequence: 7, deliveries: 3 };
        let letter = DeadLetter::new(
            Some(&original),
            Bytes::from_static(b"{"),
            &origin,
            DeadKind::Malformed,
            "not JSON:\nline 1",
        );
        assert!(letter.headers.get("Nats-Msg-Id").is_none());
        assert!(letter.headers.get(h::CUT_FROM).is_none());
        assert_eq!(letter.headers.get("Mono-Original-Nats-Msg-Id").unwrap().as_str(), "pay-1");
        assert_eq!(letter.headers.get_all("X-Trace").count(), 2);
        assert_eq!(letter.headers.get(h::DEAD_REASON).unwrap().as_str(), "not JSON: line 1");
        assert_eq!(letter.headers.get(h::DEAD_SEQUENCE).unwrap().as_str(), "7");
        assert_eq!(letter.body, Bytes::from_static(b"{"));
    }

    #[test]
    fn what_would_not_fit_is_cut_and_says_so() {
        let letter = |body: usize, header: usize| {
            let mut headers = HeaderMap::new();
            headers.insert("X", "x".repeat(header));
            set_header(&mut headers, h::DEAD_REASON, "why");
            let mut body = Bytes::from(vec![b'x'; body]);
            cut_to_fit(&mut headers, &mut body, 1000);
            assert!(wire_bytes(&headers) + body.len() <= 1000);
            let cut = headers.get(h::CUT_FROM).map(|v| v.as_str().to_owned());
            (body.len(), headers.get("X").is_some(), cut)
        };
        assert_eq!(letter(900, 1), (900, true, None));
        let (left, kept, cut) = letter(1000, 1);
        assert!(left > 800 && kept && cut.as_deref() == Some("1000"), "{left}");
        let (left, kept, cut) = letter(300, 700);
        assert!(left == 300 && !kept && cut.as_deref() == Some("300"), "{left}");
    }

    #[test]
    fn raw_headers_that_no_stream_would_take_are_cut() {
        let mut headers = HeaderMap::new();
        headers.insert(h::DEAD_RAW_HEADERS, "QUJD".repeat(20_000));
        let mut body = Bytes::from_static(b"{}");
        cut_to_fit(&mut headers, &mut body, 1_048_576);
        assert!(wire_bytes(&headers) <= MAX_STORED_HEADERS);
        let kept = headers.get(h::DEAD_RAW_HEADERS).unwrap().as_str();
        assert!(kept.len() > 65_000 && kept.len().is_multiple_of(4), "{}", kept.len());
        assert_eq!(headers.get(h::RAW_HEADERS_CUT_FROM).unwrap().as_str(), "80000");
    }
}
