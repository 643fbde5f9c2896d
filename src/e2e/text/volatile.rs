//! Values that will be others the next time, by their form or by the name that they have: ids, times,
//! and numbers that count or measure.

use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::Value;

use super::data::Data;
use super::matcher::{TIMESTAMP, UUID, is_a_time};
use super::words::words;

/// A date and time without an offset, in a pattern without anchors.
const LOCAL_TIME: &str = r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?";
/// A run of letters and digits that is so long, with so many of each, is drawn by chance.
const DRAWN: (usize, usize) = (12, 3);
/// Seconds since 1970 that are a time of these years: 2017 to 2096.
const SECONDS: std::ops::Range<u64> = 1_500_000_000..4_000_000_000;

/// The last word of a key whose value is an id.
const IDS: [&str; 10] =
    ["id", "ids", "uuid", "guid", "ulid", "uid", "nonce", "etag", "traceparent", "tracestate"];
/// A word in a key whose value is a time, or was measured or counted.
const MEASURES: [&str; 15] = [
    "took",
    "elapsed",
    "duration",
    "latency",
    "uptime",
    "timestamp",
    "ts",
    "time",
    "date",
    "seq",
    "sequence",
    "revision",
    "ms",
    "us",
    "ns",
];

/// A pattern without anchors, and the matcher for a text that is nothing else.
type Form = (&'static str, Regex, Regex);

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    [("#uuid", UUID), ("#timestamp", TIMESTAMP), ("", LOCAL_TIME)]
        .into_iter()
        .filter_map(|(word, pattern)| {
            let whole = Regex::new(&format!("^{pattern}$")).ok()?;
            Some((word, whole, Regex::new(pattern).ok()?))
        })
        .collect()
});

/// The matcher of a text that is a UUID or an RFC 3339 time.
pub(in crate::e2e) fn matcher_of(text: &str) -> Option<&'static str> {
    let form = FORMS.iter().find(|(word, whole, _)| !word.is_empty() && whole.is_match(text));
    form.map(|(word, ..)| *word).filter(|word| *word != "#timestamp" || is_a_time(text))
}

/// A regular expression for a text in which ids and times stand among other words.
pub(in crate::e2e) fn expression_of(text: &str) -> Option<String> {
    let (mut rest, mut out, mut found) = (text, String::from("^"), false);
    while let Some((begin, end, pattern)) = first(rest) {
        out.push_str(&regex_lite::escape(&rest[..begin]));
        out.push_str(pattern);
        (rest, found) = (&rest[end..], true);
    }
    out.push_str(&regex_lite::escape(rest));
    found.then(|| out + "$")
}

/// The first of them, and the longest that begins there.
fn first(text: &str) -> Option<(usize, usize, &str)> {
    let found = FORMS.iter().filter_map(|(_, _, inside)| {
        let found = inside.find(text)?;
        Some((found.start(), found.end(), inside.as_str()))
    });
    found.min_by_key(|(begin, end, _)| (*begin, usize::MAX - end))
}

/// Whether a text was drawn by chance: a UUID, a ULID, a hash, `ord_8f3k2j1h0a9z`.
pub(in crate::e2e) fn is_drawn(text: &str) -> bool {
    let (length, of_each) = DRAWN;
    let run = |run: &str| {
        let count = |is: fn(&char) -> bool| run.chars().filter(is).count();
        let digits = count(char::is_ascii_digit);
        run.len() >= length && digits >= of_each && run.len() - digits >= of_each
    };
    matcher_of(text) == Some("#uuid")
        || !text.contains(char::is_whitespace)
            && text.split(|c: char| !c.is_ascii_alphanumeric()).any(run)
}

/// Whether this is the key of an id.
pub(in crate::e2e) fn is_id(key: &str) -> bool {
    words(key).last().is_some_and(|last| IDS.contains(&last.as_str()))
}

/// Whether this is the key of a time, or of what was measured or counted.
pub(in crate::e2e) fn is_measure(key: &str) -> bool {
    let words = words(key);
    words.iter().any(|word| MEASURES.contains(&word.as_str()))
        || words.len() > 1 && words.last().is_some_and(|last| last == "at")
}

/// Whether a number is a time since 1970, in seconds or smaller units.
pub(in crate::e2e) fn is_since_1970(digits: &str) -> bool {
    let whole = digits.split('.').next().unwrap_or_default();
    let number: u64 = whole.parse().unwrap_or_default();
    [1, 1_000, 1_000_000, 1_000_000_000].iter().any(|unit| SECONDS.contains(&(number / unit)))
}

/// The matcher for a value with this key, if it will be another the next time.
pub(in crate::e2e) fn pattern(key: &str, value: &Data) -> Option<Value> {
    match value {
        Data::Number(digits) => {
            (is_id(key) || is_measure(key) || is_since_1970(digits)).then(|| "#number".into())
        }
        Data::String(text) | Data::Text(text) => {
            if let Some(word) = matcher_of(text) {
                return Some(word.into());
            }
            if let Some(expression) = expression_of(text) {
                return Some(format!("#re:{expression}").into());
            }
            if is_drawn(text) || is_id(key) {
                return Some("#string".into());
            }
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            (is_measure(key) && digits > 0).then(|| "#string".into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_and_times_become_matchers_and_other_values_stay() {
        let uuid = "0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55";
        for (key, value, expected) in [
            ("x", json!(uuid), Some("#uuid")),
            ("x", json!("2026-11-30T10:00:00Z"), Some("#timestamp")),
            // Of a form that no matcher has.
            (
                "x",
                json!("2026-11-30T10:00:00"),
                Some(r"#re:^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?$"),
            ),
            ("x", json!("ord_8f3k2j1h0a9z"), Some("#string")),
            ("x", json!("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some("#string")),
            ("orderId", json!("o-1"), Some("#string")),
            ("order_id", json!(17), Some("#number")),
            ("created_at", json!("10:15"), Some("#string")),
            ("took_ms", json!(3), Some("#number")),
            ("x", json!(1_796_034_000), Some("#number")),
            ("x", json!(1_796_034_000_123_u64), Some("#number")),
            ("x", json!(1_796_034_000.5), Some("#number")),
            // Not these.
            ("total", json!("6.40"), None),
            ("total", json!(6.4), None),
            ("status", json!("shipped"), None),
            ("item", json!("melon"), None),
            ("paid", json!("2 melons and 3 kiwis"), None),
            ("identity", json!("ada"), None),
            ("at", json!("home"), None),
            ("x", json!(true), None),
        ] {
            let found = pattern(key, &Data::from(&value));
            assert_eq!(found, expected.map(Value::from), "{key} = {value}");
        }
    }

    #[test]
    fn an_id_in_a_sentence_leaves_the_sentence() {
        let text = "order (0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55) came at 2026-11-30T10:00:00Z.";
        let expression = expression_of(text).unwrap();
        let again =
            "order (11111111-87f6-4a5c-8f0f-0e7b6a1a3c55) came at 2027-01-01T00:00:00+01:00.";
        let regex = Regex::new(&expression).unwrap();
        assert!(regex.is_match(text) && regex.is_match(again), "{expression}");
        assert!(!regex.is_match(&text.replace("came", "went")), "{expression}");
        assert_eq!(expression_of("nothing of these"), None);
    }
}
