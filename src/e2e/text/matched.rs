//! Data with each matcher in place of the value that it matched: the form of golden files.

use serde_json::Value;

use super::data::Data;
use super::matcher::{compare, in_any_order, is_matcher, of_array, unescaped};

/// `seen` with the matchers of a pattern that it matches; values that the pattern does not mention
/// stay.
pub(in crate::e2e) fn matched(pattern: &Value, seen: &Data, exact: bool) -> Data {
    match (pattern, seen) {
        // It says what is there.
        (Value::String(text), _)
            if text.starts_with("#number:") || text.starts_with("#base64:") =>
        {
            seen.clone()
        }
        (Value::String(text), _) if is_matcher(text) => Data::Matched(text.clone()),
        (Value::Object(wanted), Data::Array(items)) => match of_array(wanted) {
            Some((word, patterns)) => of_any_order(word, patterns, items, exact),
            None => seen.clone(),
        },
        (Value::Object(wanted), Data::Object(fields)) => {
            let field = |(key, seen): &(String, Data)| {
                let pattern = wanted.iter().find(|(wanted, _)| unescaped(wanted) == key);
                let shown = pattern.map(|(_, pattern)| matched(pattern, seen, exact));
                (key.clone(), shown.unwrap_or_else(|| seen.clone()))
            };
            Data::Object(fields.iter().map(field).collect())
        }
        (Value::Array(patterns), Data::Array(items)) if patterns.len() == items.len() => patterns
            .iter()
            .zip(items)
            .map(|(pattern, item)| matched(pattern, item, exact))
            .collect(),
        _ => seen.clone(),
    }
}

fn of_any_order(word: &str, patterns: &[Value], items: &[Data], exact: bool) -> Data {
    let seen = Data::Array(items.to_vec());
    let Ok(places) = in_any_order(word, patterns, &seen, exact, "") else { return seen };
    let at = |(pattern, at): (&Value, usize)| (at, matched(pattern, &items[at], exact));
    let of_patterns: Vec<(usize, Data)> = patterns.iter().zip(places).map(at).collect();
    if word == "#unordered" {
        return Data::Unordered(of_patterns.into_iter().map(|(_, item)| item).collect());
    }
    // Of an array that holds more, the rest is where it was.
    let mut items = items.to_vec();
    for (at, item) in of_patterns {
        items[at] = item;
    }
    Data::Array(items)
}

/// Whether golden text, in which people may have written matchers, stands for this text of a
/// transcript, in which there may be some already; both as JSON.
pub(in crate::e2e) fn stands_for(golden: &Data, seen: &Data) -> bool {
    match (golden, seen) {
        (golden, seen) if golden == seen => true,
        (Data::String(text), seen) if is_matcher(text) => {
            let is_matched = seen.as_str().is_some_and(is_matcher);
            text == "#any"
                || !is_matched && compare(&text.as_str().into(), &as_seen(seen), true, "").is_ok()
        }
        (Data::Object(fields), Data::Array(items)) => match fields.as_slice() {
            [(word, Data::Array(patterns))] if word == "#unordered" || word == "#contains" => {
                // Kuhn's way is for patterns without what has been matched already: here one after the
                // other takes the first that is left, and who writes by hand writes what is special first.
                let mut left: Vec<&Data> = items.iter().collect();
                let takes = |pattern: &Data| {
                    let at = left.iter().position(|item| stands_for(pattern, item));
                    at.map(|at| left.remove(at)).is_some()
                };
                patterns.iter().all(takes) && (word == "#contains" || left.is_empty())
            }
            _ => false,
        },
        (Data::Object(golden), Data::Object(seen)) => {
            let same = |((a, golden), (b, seen)): (&(String, Data), &(String, Data))| {
                a == b && stands_for(golden, seen)
            };
            golden.len() == seen.len() && golden.iter().zip(seen).all(same)
        }
        (Data::Array(golden), Data::Array(seen)) => {
            golden.len() == seen.len() && golden.iter().zip(seen).all(|(a, b)| stands_for(a, b))
        }
        _ => false,
    }
}

/// A value as a transcript has it: a word with a number stands for an id or a time.
fn as_seen(shown: &Data) -> Data {
    let Data::String(text) = shown else { return shown.clone() };
    let word = text.strip_prefix('<').and_then(|text| text.split_once(':'));
    Data::String(match word {
        Some(("uuid", _)) => "00000000-0000-0000-0000-000000000000".to_owned(),
        Some(("time", _)) => "2000-01-01T00:00:00Z".to_owned(),
        _ => unescaped(text).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_matcher_stands_in_the_place_of_what_it_matched() {
        for (pattern, seen, shown) in [
            (json!({"id": "#number"}), r#"{"id":7,"x":8}"#, r##"{"id":"#number","x":8}"##),
            (
                json!({"id": 7, "##k": "#any"}),
                r##"{"id":7.0,"#k":{}}"##,
                r##"{"#k":"#any","id":7}"##,
            ),
            (json!(["#string", "b"]), r#"["a","b"]"#, r##"["#string","b"]"##),
            (json!("#number:1"), "1.0", "1"),
            (json!({"#contains": ["#number"]}), r#"["a",1]"#, r##"["a","#number"]"##),
            (
                json!({"#unordered": ["#string", {"a": "#number"}]}),
                r#"[{"a":1,"b":2},"x"]"#,
                r##"{"#unordered":["#string",{"a":"#number","b":2}]}"##,
            ),
        ] {
            assert_eq!(matched(&pattern, &Data::read(seen.as_bytes()), false).to_string(), shown);
        }
    }

    #[test]
    fn golden_text_may_have_matchers_of_its_own() {
        let holds = |golden: &str, seen: &str| {
            stands_for(&Data::read(golden.as_bytes()), &Data::read(seen.as_bytes()))
        };
        for (golden, seen) in [
            (r##"{"a":"#number","b":1}"##, r#"{"a":2,"b":1}"#),
            (r##"{"a":"#uuid","b":"#timestamp"}"##, r#"{"a":"<uuid:1>","b":"<time:2>"}"#),
            (r##""#re:^#x""##, r###""##x""###),
            (r##"{"a":"#number"}"##, r##"{"a":"#number"}"##),
            (r##"{"#unordered":["#number","a"]}"##, r#"["a",7]"#),
        ] {
            assert!(holds(golden, seen), "{golden} {seen}");
        }
        for (golden, seen) in [
            (r##"{"a":"#number"}"##, r#"{"a":2,"b":1}"#),
            (r##"{"a":"#number"}"##, r#"{"a":"2"}"#),
            // What a service said stands there with two, and is no matcher.
            (r###""##any""###, r#""x""#),
            (r##""#number""##, r###""##number""###),
            (r##"{"a":"#string"}"##, r##"{"a":"#number"}"##),
        ] {
            assert!(!holds(golden, seen), "{golden} {seen}");
        }
    }
}
