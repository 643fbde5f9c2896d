//! Values of TOML as data: JSON, settings, patterns.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, article};
use super::item::Item;
use crate::e2e::text::error::nearest;
use crate::e2e::text::matcher;
use crate::e2e::text::number;

/// The text of a string.
pub fn as_text<'a>(item: &'a Item<'_>) -> Option<&'a str> {
    item.get_ref().as_str()
}

pub(in crate::e2e) fn as_integer(item: &Item<'_>) -> Option<i64> {
    let integer = item.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// What is wrong with the keys of a table as a pattern.
fn check_keys(table: &DeTable<'_>, findings: &mut Findings) {
    for (key, item) in table {
        let word = key.get_ref().as_ref();
        if !word.starts_with('#') || word.starts_with("##") {
            continue;
        }
        if !matcher::OF_ARRAYS.contains(&word) {
            let help = match nearest(word, matcher::OF_ARRAYS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "matchers of arrays are {}; `##` begins a key with one `#`",
                    matcher::OF_ARRAYS.join(" ")
                ),
            };
            findings.add_with_help(key.span(), format!("`{word}` is not a matcher"), help);
        } else if table.len() > 1 {
            findings.add(key.span(), format!("`{word}` is alone in its table"));
        } else if !item.get_ref().is_array() {
            let seen = item.get_ref().type_str();
            let message = format!("`{word}` must be an array, not {} {seen}", article(seen));
            findings.add(item.span(), message);
        }
    }
}

pub(in crate::e2e) fn check_pattern(item: &Item<'_>, findings: &mut Findings) {
    match item.get_ref() {
        DeValue::String(text) => {
            if let Err(message) = matcher::check_text(text) {
                let near = nearest(text, matcher::MATCHERS);
                let help = match near.filter(|_| !text.contains(':')) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "matchers are {}; `##` begins a text with one `#`",
                        matcher::MATCHERS.join(" ")
                    ),
                };
                findings.add_with_help(item.span(), message, help);
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| check_pattern(item, findings)),
        DeValue::Table(table) => {
            check_keys(table, findings);
            let nothing =
                |item: &Item<'_>| item.get_ref().as_array().is_some_and(|of| of.is_empty());
            if let Some(item) = table.get("#contains").filter(|item| nothing(item)) {
                let help = "`[]` expects none, and `\"#any\"` whatever there is";
                findings.add_with_help(item.span(), "every array contains nothing", help);
            }
            table.values().for_each(|item| check_pattern(item, findings));
        }
        _ => {}
    }
}

/// What to do with a number that loses digits.
const DIGITS: &str =
    "`\"#number:1.10\"` expects a number with all its digits, and `text` sends it as it is written";

/// The one form of a float of TOML, which may have a sign where JSON has none.
fn written(float: &str) -> String {
    number::normal(float.trim_start_matches('+'))
}

/// TOML data as JSON; what JSON cannot say (dates, infinity) is a problem.
pub fn to_json(item: &Item<'_>, findings: &mut Findings) -> Value {
    match item.get_ref() {
        DeValue::String(text) => {
            findings.check_variables(&item.span(), text);
            Value::String(text.to_string())
        }
        DeValue::Integer(_) => match as_integer(item) {
            Some(number) => Value::from(number),
            None => {
                findings.add_with_help(
                    item.span(),
                    "this number does not fit into 64 bits",
                    DIGITS,
                );
                Value::Null
            }
        },
        DeValue::Float(float) => {
            let double = float.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            match double {
                None => findings.add_with_help(
                    item.span(),
                    "JSON has no infinity and no NaN",
                    "send it as `text` to see what the service says to it",
                ),
                Some(ref double)
                    if number::normal(&double.to_string()) != written(float.as_str()) =>
                {
                    let message =
                        format!("this number has more digits than a double, which is {double}");
                    findings.add_with_help(item.span(), message, DIGITS);
                }
                Some(_) => {}
            }
            double.map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(_) => {
            findings.add_with_help(item.span(), "JSON has no dates", "put it between quotes");
            Value::Null
        }
        DeValue::Array(items) => items.iter().map(|item| to_json(item, findings)).collect(),
        DeValue::Table(table) => {
            let mut object = Map::new();
            for (key, item) in table {
                findings.check_variables(&key.span(), key.get_ref());
                object.insert(key.get_ref().to_string(), to_json(item, findings));
            }
            Value::Object(object)
        }
    }
}

/// TOML data as an owned TOML value, for the services' settings.
pub fn to_toml(item: &Item<'_>, findings: &mut Findings) -> toml::Value {
    match item.get_ref() {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(_) => match as_integer(item) {
            Some(number) => toml::Value::Integer(number),
            None => {
                findings.add(item.span(), "this number does not fit into 64 bits");
                toml::Value::Integer(0)
            }
        },
        DeValue::Float(float) => toml::Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => toml::Value::Boolean(*truth),
        DeValue::Datetime(datetime) => toml::Value::Datetime(*datetime),
        DeValue::Array(items) => {
            toml::Value::Array(items.iter().map(|item| to_toml(item, findings)).collect())
        }
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, item)| (key.get_ref().to_string(), to_toml(item, findings)))
                .collect(),
        ),
    }
}
