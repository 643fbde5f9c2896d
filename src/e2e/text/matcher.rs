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

use regex_lite::Regex;
use serde_json::Value;

use crate::counted::counted;

/// All matchers, for messages.
pub const MATCHERS: [&str; 7] =
    ["#any", "#number", "#string", "#uuid", "#timestamp", "#absent", "#re:"];

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
    if rest.starts_with('#') || MATCHERS[..6].contains(&text) {
        return Ok(());
    }
    if let Some(pattern) = text.strip_prefix("#re:") {
        return Regex::new(pattern)
            .map(|_| ())
            .map_err(|e| format!("`{text}` is not a regular expression: {e}"));
    }
    Err(format!("`{text}` is not a matcher"))
}

/// Compares `seen` with `pattern`. `path` says where in the whole the value is.
///
/// # Errors
/// The first [`Difference`], keys in alphabetical order.
///
/// ```
/// use mono_demo::e2e::text::compare;
/// use serde_json::json;
/// let seen = json!({"result": 15.0, "operation": "add"});
/// assert!(compare(&json!({"result": 15}), &seen, false, "reply").is_ok());
/// let difference = compare(&json!({"result": 16}), &seen, false, "reply").unwrap_err();
/// assert_eq!(difference.to_string(), "reply.result: expected 16, saw 15");
/// ```
pub fn compare(pattern: &Value, seen: &Value, exact: bool, path: &str) -> Result<(), Difference> {
    match (pattern, seen) {
        (Value::String(text), _) => compare_text(text, seen, path),
        (Value::Object(wanted), _) if of_array(wanted).is_some() => match of_array(wanted) {
            Some((word, patterns)) => compare_any_order(word, patterns, seen, exact, path),
            None => Ok(()),
        },
        (Value::Object(wanted), Value::Object(fields)) => {
            let unescaped =
                |key: &str| key.strip_prefix('#').filter(|k| k.starts_with('#')).map(str::to_owned);
            let wanted: serde_json::Map<String, Value> = wanted
                .iter()
                .map(|(key, pattern)| {
                    (unescaped(key).unwrap_or_else(|| key.clone()), pattern.clone())
                })
                .collect();
            for (key, pattern) in &wanted {
                let path = member(path, key);
                match fields.get(key) {
                    Some(seen) => compare(pattern, seen, exact, &path)?,
                    None if pattern == "#absent" => {}
                    None => return Err(differs(path, describe(pattern), "nothing".to_owned())),
                }
            }
            match fields.iter().find(|(key, _)| !wanted.contains_key(*key)) {
                Some((key, value)) if exact => {
                    let path = member(path, key);
                    Err(differs(path, "nothing".to_owned(), canonical(value)))
                }
                _ => Ok(()),
            }
        }
        (Value::Array(wanted), Value::Array(items)) => {
            if wanted.len() != items.len() {
                return Err(differs(
                    path.to_owned(),
                    counted(wanted.len(), "element"),
                    format!("{} in {}", items.len(), canonical(seen)),
                ));
            }
            for (index, (pattern, seen)) in wanted.iter().zip(items).enumerate() {
                compare(pattern, seen, exact, &format!("{path}[{index}]"))?;
            }
            Ok(())
        }
        (Value::Number(wanted), Value::Number(number)) if same_number(wanted, number) => Ok(()),
        (wanted, seen) if wanted == seen => Ok(()),
        (wanted, seen) => Err(differs(path.to_owned(), canonical(wanted), canonical(seen))),
    }
}

fn compare_text(text: &str, seen: &Value, path: &str) -> Result<(), Difference> {
    static UUID_ALONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{UUID}$")).ok());
    static TIMESTAMP_ALONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{TIMESTAMP}$")).ok());
    let finds = |regex: Option<&Regex>| match (regex, seen) {
        (Some(regex), Value::String(seen)) => regex.is_match(seen),
        _ => false,
    };
    let holds = match text {
        "#any" => true,
        "#number" => seen.is_number(),
        "#string" => seen.is_string(),
        "#uuid" => finds(UUID_ALONE.as_ref()),
        "#timestamp" => finds(TIMESTAMP_ALONE.as_ref()),
        "#absent" => false,
        _ => match (text.strip_prefix("#re:"), text.strip_prefix("##")) {
            (Some(pattern), _) => finds(Regex::new(pattern).ok().as_ref()),
            (None, Some(rest)) => seen.as_str().is_some_and(|s| s.strip_prefix('#') == Some(rest)),
            (None, None) => seen == text,
        },
    };
    if holds {
        Ok(())
    } else {
        let wanted = describe(&Value::String(text.to_owned()));
        Err(differs(path.to_owned(), wanted, canonical(seen)))
    }
}

/// The matcher that a table is, and its patterns.
fn of_array(table: &serde_json::Map<String, Value>) -> Option<(&str, &[Value])> {
    let (word, patterns) = table.iter().next().filter(|_| table.len() == 1)?;
    let known = OF_ARRAYS.contains(&word.as_str());
    known.then_some((word.as_str(), patterns.as_array()?))
}

/// Finds an element of its own for each pattern (Kuhn's augmenting paths): one that two patterns
/// match goes to the one that has no other.
fn compare_any_order(
    word: &str,
    patterns: &[Value],
    seen: &Value,
    exact: bool,
    path: &str,
) -> Result<(), Difference> {
    let differs = |expected: String| Err(differs(path.to_owned(), expected, canonical(seen)));
    let Value::Array(items) = seen else { return differs("an array".to_owned()) };
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
    Ok(())
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
        Some(text) => match text.strip_prefix("#re:") {
            Some(regex) => format!("a string matching /{regex}/"),
            None => canonical(&Value::String(text.replacen("##", "#", 1))),
        },
        None => canonical(pattern),
    }
}

fn member(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Integers by value, everything else as the nearest double.
fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

/// One line of JSON with sorted keys; a whole number has no fraction (`15`, not `15.0`).
///
/// ```
/// use mono_demo::e2e::text::canonical;
/// let value = serde_json::json!({"b": 15.0, "a": [1.5]});
/// assert_eq!(canonical(&value), r#"{"a":[1.5],"b":15}"#);
/// ```
pub fn canonical(value: &Value) -> String {
    canonical_value(value).to_string()
}

/// As [`canonical`], still a value.
pub fn canonical_value(value: &Value) -> Value {
    /// Above it, not every whole number is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "bounded by EXACT")]
            Some(double) if double.fract() == 0.0 && double.abs() < EXACT => {
                Value::from(double as i64)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(canonical_value).collect(),
        // The map is a BTreeMap: its keys are sorted.
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), canonical_value(value))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn matches(pattern: Value, seen: Value) {
        if let Err(difference) = compare(&pattern, &seen, false, "") {
            panic!("{difference}");
        }
    }

    #[track_caller]
    fn differs(pattern: Value, seen: Value, message: &str) {
        let difference = compare(&pattern, &seen, false, "").expect_err("should differ");
        assert_eq!(difference.to_string(), message);
    }

    #[test]
    fn matchers_match_what_they_name() {
        matches(json!("#any"), json!(null));
        matches(json!("#number"), json!(1.5));
        matches(json!("#string"), json!(""));
        matches(json!("#uuid"), json!("6F9619FF-8B86-D011-B42D-00CF4FC964FF"));
        matches(json!("#timestamp"), json!("2026-07-01T10:00:00.5+02:00"));
        matches(json!("#re:^pay-\\d$"), json!("pay-7"));
        matches(json!("##any"), json!("#any"));
        matches(json!({"a": "#absent"}), json!({"b": 1}));
        differs(json!("#number"), json!("1"), r#"expected a number, saw "1""#);
        differs(json!("#string"), json!(1), "expected a string, saw 1");
        differs(json!("#uuid"), json!("x6f9619ff"), r#"expected a UUID, saw "x6f9619ff""#);
        differs(json!("#timestamp"), json!("today"), r#"expected an RFC 3339 time, saw "today""#);
        differs(json!("#re:^b"), json!("ab"), r#"expected a string matching /^b/, saw "ab""#);
        differs(json!("##any"), json!("x"), r##"expected "#any", saw "x""##);
        differs(json!({"a": "#absent"}), json!({"a": 1}), "a: expected nothing, saw 1");
        differs(json!({"a": "#any"}), json!({}), "a: expected anything, saw nothing");
    }

    #[test]
    fn a_subset_is_enough_unless_the_match_is_exact() {
        let pattern = json!({"a": {"b": 1}});
        let seen = json!({"a": {"b": 1, "c": 2}, "d": 3});
        matches(pattern.clone(), seen.clone());
        let difference = compare(&pattern, &seen, true, "reply").unwrap_err();
        assert_eq!(difference.to_string(), "reply.a.c: expected nothing, saw 2");
    }

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        differs(
            json!({"items": [{"id": 1}, {"id": 2}]}),
            json!({"items": [{"id": 1}, {"id": 3}]}),
            "items[1].id: expected 2, saw 3",
        );
        differs(json!([1]), json!([1, 2]), "expected 1 element, saw 2 in [1,2]");
        differs(json!({"a": 1}), json!([1]), r#"expected {"a":1}, saw [1]"#);
    }

    #[test]
    fn arrays_are_compared_in_any_order() {
        // The first pattern takes what only the second could have, and gives it up.
        let wanted = json!({"#unordered": ["#number", 1, {"a": 1}]});
        matches(wanted.clone(), json!([1, {"a": 1, "b": 2}, 7]));
        differs(wanted.clone(), json!([1, 7]), "expected 3 elements in any order, saw [1,7]");
        differs(wanted, json!([7, 8, {"a": 1}]), r#"expected an element for 1, saw [7,8,{"a":1}]"#);
        differs(
            json!({"a": {"#unordered": [1, 1]}}),
            json!({"a": [1, 2]}),
            "a: expected an element of its own for 1, saw [1,2]",
        );
        matches(json!({"#contains": [2]}), json!([1, 2, 3]));
        differs(json!({"#contains": [4]}), json!([1]), "expected an element for 4, saw [1]");
        differs(json!({"#contains": []}), json!({}), "expected an array, saw {}");
        matches(json!({"##unordered": 1}), json!({"#unordered": 1}));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        matches(json!(15), json!(15.0));
        matches(json!(9.99), json!(9.99));
        differs(
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992_i64),
            "expected 9007199254740993, saw 9007199254740992",
        );
        differs(json!(15), json!("15"), r#"expected 15, saw "15""#);
    }

    #[test]
    fn bad_matchers_are_told_before_anything_runs() {
        assert!(check_text("plain").is_ok());
        assert!(check_text("##literal").is_ok());
        assert!(check_text("#re:a+").is_ok());
        assert!(check_text("#nummer").unwrap_err().contains("#nummer"));
        assert!(check_text("#re:(").unwrap_err().contains("regular expression"));
    }
}
