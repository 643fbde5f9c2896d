//! Patterns over JSON: plain data, with matchers as strings in it.
//!
//! | pattern | matches |
//! | --- | --- |
//! | `"#any"` | anything that is there |
//! | `"#number"`, `"#string"` | any number, any string |
//! | `"#uuid"` | a UUID in its usual form |
//! | `"#timestamp"` | an RFC 3339 date and time |
//! | `"#absent"` | a key that is not there |
//! | `"#re:^a+$"` | a string in which the regular expression finds something |
//! | `"#number:0.10"` | this number, with more digits than TOML keeps |
//! | `"#base64:/w=="` | these bytes, which are no text |
//! | `"##x"` | the string `#x` |
//! | anything else | itself; 15 and 15.0 are the same number |
//!
//! An object matches if it has what the pattern has (a subset), unless the match is exact.
//! Arrays match element by element, unless one of these tables stands for the array:
//!
//! | table | matches |
//! | --- | --- |
//! | `{ "#unordered" = [1, 2] }` | an array of as many elements that match these, in any order |
//! | `{ "#contains" = [1, 2] }` | an array in which each of these has an element of its own |
//!
//! A key that begins with `##` is one that begins with `#`.

use std::{fmt, sync::LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex_lite::Regex;
use serde_json::Value;

use super::data::Data;
use crate::counted::counted;

/// All matchers, for messages; something follows after those with a colon.
pub const MATCHERS: [&str; 9] = [
    "#any",
    "#number",
    "#string",
    "#uuid",
    "#timestamp",
    "#absent",
    "#re:",
    "#number:",
    "#base64:",
];

/// The matchers of arrays: keys that are alone in a table.
pub const OF_ARRAYS: [&str; 2] = ["#unordered", "#contains"];

/// A UUID, in a pattern without anchors.
pub const UUID: &str =
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
/// An RFC 3339 date and time, in a pattern without anchors.
pub const TIMESTAMP: &str =
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})";

/// The first place where a value is not what the pattern says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As `reply.items[2].id`; empty for the value itself.
    pub path: String,
    /// What the pattern says there.
    pub expected: String,
    /// What was there.
    pub seen: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "expected {}, saw {}", self.expected, self.seen)
    }
}

/// Says what is wrong with a string as a pattern, if anything.
///
/// # Errors
/// An unknown `#…` or a regular expression that does not parse, as one sentence.
pub fn check_text(text: &str) -> Result<(), String> {
    let Some(rest) = text.strip_prefix('#') else {
        return Ok(());
    };
    if rest.starts_with('#') || (MATCHERS.contains(&text) && !text.ends_with(':')) {
        return Ok(());
    }
    if let Some(pattern) = text.strip_prefix("#re:") {
        return Regex::new(pattern)
            .map(|_| ())
            .map_err(|e| format!("`{text}` is not a regular expression: {e}"));
    }
    if let Some(digits) = text.strip_prefix("#number:") {
        return match Data::json(digits) {
            Some(Data::Number(_)) => Ok(()),
            _ => Err(format!("`{text}` is not a number of JSON")),
        };
    }
    if let Some(bytes) = text.strip_prefix("#base64:") {
        return STANDARD
            .decode(bytes)
            .map(|_| ())
            .map_err(|e| format!("`{text}` is not base64: {e}"));
    }
    Err(format!("`{text}` is not a matcher"))
}

/// Whether a text in the form of a time is one that there is: no 13th month, no 25th hour.
pub(in crate::e2e) fn is_a_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a text stands for other than itself.
pub(in crate::e2e) fn is_matcher(text: &str) -> bool {
    text.starts_with('#') && !text.starts_with("##")
}

/// The text that a pattern's text or key stands for, which is not a matcher.
pub(in crate::e2e) fn unescaped(text: &str) -> &str {
    text.strip_prefix('#').filter(|rest| rest.starts_with('#')).unwrap_or(text)
}

/// Compares `seen` with `pattern`. `path` says where in the whole the value is.
///
/// # Errors
/// The first [`Difference`], keys in alphabetical order.
///
/// ```
/// use mono_demo::e2e::text::{Data, compare};
/// use serde_json::json;
/// let seen = Data::read(br#"{"result": 15.0, "operation": "add"}"#);
/// assert!(compare(&json!({"result": 15}), &seen, false, "reply").is_ok());
/// let difference = compare(&json!({"result": 16}), &seen, false, "reply").unwrap_err();
/// assert_eq!(difference.to_string(), "reply.result: expected 16, saw 15");
/// ```
pub fn compare(pattern: &Value, seen: &Data, exact: bool, path: &str) -> Result<(), Difference> {
    match (pattern, seen) {
        (Value::String(text), _) => compare_text(text, seen, path),
        (Value::Object(wanted), _) if of_array(wanted).is_some() => match of_array(wanted) {
            Some((word, patterns)) => in_any_order(word, patterns, seen, exact, path).map(drop),
            None => Ok(()),
        },
        (Value::Object(wanted), Data::Object(fields)) => {
            for (key, pattern) in wanted {
                let key = unescaped(key);
                let path = member(path, key);
                match seen.values(key).as_slice() {
                    [seen] => compare(pattern, seen, exact, &path)?,
                    [] if pattern == "#absent" => {}
                    [] => return Err(differs(path, describe(pattern), "nothing".to_owned())),
                    several => {
                        let all: Vec<String> = several.iter().map(|one| one.to_string()).collect();
                        let times = format!("it {} times: {}", all.len(), all.join(", "));
                        return Err(differs(path, describe(pattern), times));
                    }
                }
            }
            let known = |key: &String| wanted.keys().any(|wanted| unescaped(wanted) == key);
            match fields.iter().find(|(key, _)| !known(key)) {
                Some((key, value)) if exact => {
                    Err(differs(member(path, key), "nothing".to_owned(), value.to_string()))
                }
                _ => Ok(()),
            }
        }
        (Value::Array(wanted), Data::Array(items)) => {
            if wanted.len() != items.len() {
                return Err(differs(
                    path.to_owned(),
                    counted(wanted.len(), "element"),
                    format!("{} in {seen}", items.len()),
                ));
            }
            for (index, (pattern, seen)) in wanted.iter().zip(items).enumerate() {
                compare(pattern, seen, exact, &format!("{path}[{index}]"))?;
            }
            Ok(())
        }
        (wanted, seen) if Data::from(wanted) == *seen => Ok(()),
        (wanted, seen) => Err(differs(path.to_owned(), canonical(wanted), seen.to_string())),
    }
}

fn compare_text(text: &str, seen: &Data, path: &str) -> Result<(), Difference> {
    static UUID_ALONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{UUID}$")).ok());
    static TIMESTAMP_ALONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{TIMESTAMP}$")).ok());
    let finds = |regex: Option<&Regex>| {
        regex.zip(seen.as_str()).is_some_and(|(regex, seen)| regex.is_match(seen))
    };
    let after = |word: &str| text.strip_prefix(word);
    let holds = match text {
        "#any" => true,
        "#number" => matches!(seen, Data::Number(_)),
        "#string" => seen.as_str().is_some(),
        "#uuid" => finds(UUID_ALONE.as_ref()),
        "#timestamp" => finds(TIMESTAMP_ALONE.as_ref()) && seen.as_str().is_some_and(is_a_time),
        "#absent" => false,
        _ if !is_matcher(text) => seen.as_str() == Some(unescaped(text)),
        _ => match (after("#re:"), after("#number:"), after("#base64:")) {
            (Some(pattern), ..) => finds(Regex::new(pattern).ok().as_ref()),
            (_, Some(digits), _) => Data::json(digits).as_ref() == Some(seen),
            (.., Some(bytes)) => match seen {
                Data::Bytes(seen) => STANDARD.decode(bytes).as_ref() == Ok(seen),
                _ => false,
            },
            _ => false,
        },
    };
    if holds {
        Ok(())
    } else {
        let wanted = describe(&Value::String(text.to_owned()));
        Err(differs(path.to_owned(), wanted, seen.to_string()))
    }
}

/// The matcher that a table is, and its patterns.
pub(in crate::e2e) fn of_array(table: &serde_json::Map<String, Value>) -> Option<(&str, &[Value])> {
    let (word, patterns) = table.iter().next().filter(|_| table.len() == 1)?;
    let known = OF_ARRAYS.contains(&word.as_str());
    known.then_some((word.as_str(), patterns.as_array()?))
}

/// Finds an element of its own for each pattern (Kuhn's augmenting paths): one that two patterns
/// match goes to the one that has no other. Where the element of each pattern is.
pub(in crate::e2e) fn in_any_order(
    word: &str,
    patterns: &[Value],
    seen: &Data,
    exact: bool,
    path: &str,
) -> Result<Vec<usize>, Difference> {
    let differs = |expected: String| Err(differs(path.to_owned(), expected, seen.to_string()));
    let Data::Array(items) = seen else { return differs("an array".to_owned()) };
    if word == "#unordered" && patterns.len() != items.len() {
        return differs(format!("{} in any order", counted(patterns.len(), "element")));
    }
    let fits: Vec<Vec<usize>> = patterns
        .iter()
        .map(|pattern| {
            let fits = |at: &usize| compare(pattern, &items[*at], exact, "").is_ok();
            (0..items.len()).filter(fits).collect()
        })
        .collect();
    let mut owner: Vec<Option<usize>> = vec![None; items.len()];
    for (index, pattern) in patterns.iter().enumerate() {
        if !place(index, &fits, &mut owner, &mut vec![false; items.len()]) {
            let also = if fits[index].is_empty() { "" } else { " of its own" };
            return differs(format!("an element{also} for {}", describe(pattern)));
        }
    }
    let of = |pattern| owner.iter().position(|owner| *owner == Some(pattern));
    Ok((0..patterns.len()).filter_map(of).collect())
}

/// Gives a pattern an element, moving others where they can.
fn place(
    pattern: usize,
    fits: &[Vec<usize>],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for &at in &fits[pattern] {
        if std::mem::replace(&mut tried[at], true) {
            continue;
        }
        if owner[at].is_none_or(|other| place(other, fits, owner, tried)) {
            owner[at] = Some(pattern);
            return true;
        }
    }
    false
}

fn differs(path: String, expected: String, seen: String) -> Difference {
    Difference { path, expected, seen }
}

/// A pattern in a message: matchers in words, data as JSON.
fn describe(pattern: &Value) -> String {
    match pattern.as_str() {
        Some("#any") => "anything".to_owned(),
        Some("#number") => "a number".to_owned(),
        Some("#string") => "a string".to_owned(),
        Some("#uuid") => "a UUID".to_owned(),
        Some("#timestamp") => "an RFC 3339 time".to_owned(),
        Some("#absent") => "nothing".to_owned(),
        Some(text) => match text.split_once(':') {
            Some(("#re", regex)) => format!("a string matching /{regex}/"),
            Some(("#number", digits)) => digits.to_owned(),
            Some(("#base64", bytes)) => format!("base64 {bytes}"),
            _ => canonical(&Value::from(unescaped(text))),
        },
        None => canonical(pattern),
    }
}

fn member(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// One line of JSON with sorted keys and numbers in their one form (`15`, not `15.0`).
///
/// ```
/// use mono_demo::e2e::text::canonical;
/// let value = serde_json::json!({"b": 15.0, "a": [1.5]});
/// assert_eq!(canonical(&value), r#"{"a":[1.5],"b":15}"#);
/// ```
pub fn canonical(value: &Value) -> String {
    Data::from(value).to_string()
}

#[cfg(test)]
mod tests;
