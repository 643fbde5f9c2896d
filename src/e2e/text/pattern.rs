//! A value that was seen, as a pattern that it matches; and what several patterns have in common.

use serde_json::{Map, Value};
use toml_edit::InlineTable;

use super::data::{Data, base64};
use super::template;

/// What stands for a value of this key instead of itself, where something does.
pub(in crate::e2e) type Special<'a> = &'a dyn Fn(&str, &Data) -> Option<Value>;

/// The pattern of a value; `key` is what its elements have as theirs.
pub(in crate::e2e) fn pattern(key: &str, value: &Data, special: Special<'_>) -> Value {
    if let Some(pattern) = special(key, value) {
        return pattern;
    }
    match value {
        Data::String(text) | Data::Text(text) => template::escaped(&hashed(text)).into(),
        Data::Bytes(bytes) => format!("#base64:{}", base64(bytes)).into(),
        Data::Number(digits) => match value.exact() {
            Some(number) if number.is_i64() || number.is_f64() => number,
            _ => format!("#number:{digits}").into(),
        },
        Data::Bool(truth) => Value::Bool(*truth),
        Data::Array(items) => items.iter().map(|item| pattern(key, item, special)).collect(),
        // Which of two values of a key is meant, no pattern can say.
        Data::Object(fields) if fields.windows(2).any(|two| two[0].0 == two[1].0) => {
            Value::from("#any")
        }
        Data::Object(fields) => fields
            .iter()
            .map(|(name, value)| (template::escaped(&hashed(name)), pattern(name, value, special)))
            .collect::<Map<_, _>>()
            .into(),
        Data::Null | Data::Matched(_) | Data::Unordered(_) => Value::from("#any"),
    }
}

/// A text that is no matcher.
fn hashed(text: &str) -> String {
    if text.starts_with('#') { format!("#{text}") } else { text.to_owned() }
}

/// The pattern that what two patterns stand for matches.
pub(in crate::e2e) fn both(a: &Value, b: &Value) -> Value {
    let matcher =
        |value: &Value| value.as_str().is_some_and(|s| s.starts_with('#') && !s.starts_with("##"));
    let begins = |value: &Value, word: &str| value.as_str().is_some_and(|s| s.starts_with(word));
    let number = |value: &Value| value.is_number() || begins(value, "#number");
    let other =
        |value: &Value| value == "#any" || begins(value, "#number") || begins(value, "#base64");
    let text = |value: &Value| value.is_string() && (!matcher(value) || !other(value));
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (Value::Object(a), Value::Object(b)) => {
            // What is not always there is not expected.
            let fields = a.iter().filter_map(|(key, a)| Some((key.clone(), both(a, b.get(key)?))));
            fields.collect::<Map<_, _>>().into()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).map(|(a, b)| both(a, b)).collect()
        }
        (a, b) if number(a) && number(b) => Value::from("#number"),
        (a, b) if text(a) && text(b) => Value::from("#string"),
        _ => Value::from("#any"),
    }
}

/// As TOML, which knows no null; `None` is never asked for: there is none in a pattern.
pub(in crate::e2e) fn to_toml(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            items.iter().filter_map(to_toml).collect::<toml_edit::Array>().into()
        }
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            for (key, value) in fields {
                table.insert(key, to_toml(value)?);
            }
            table.into()
        }
    })
}
