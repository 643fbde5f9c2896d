//! What differs between two configurations of a stream, or of a consumer, in words.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::modules::payment;

/// As the server's API has it.
pub(super) type Config = Map<String, Value>;

/// Lengths of time, in nanoseconds.
const TIMES: [&str; 4] = ["max_age", "duplicate_window", "ack_wait", "inactive_threshold"];
/// Others may have more copies, and another window where we ask for none; streams that were made before
/// these could do so take no batches.
const FREE: [&str; 3] = ["num_replicas", "duplicate_window", "allow_atomic"];

/// How `serve` makes this stream; `None` for what is no stream.
pub(super) fn intended(name: &str) -> Option<Config> {
    let config = payment::streams(1).into_iter().find(|config| config.name == name)?;
    match serde_json::to_value(config) {
        Ok(Value::Object(config)) => Some(config),
        _ => None,
    }
}

/// What was changed since, if anything.
pub(super) fn changes(before: &Config, now: &Config) -> Option<String> {
    let how = |key: &str| format!("`{key}` was {} and is {}", shown(before, key), shown(now, key));
    sentence(differing(before, now).into_iter().map(how))
}

/// What is not as it is made, if anything.
pub(super) fn unlike_intended(intended: &Config, found: &Config) -> Option<String> {
    let how = |key: &str| {
        format!("`{key}` is {}, and should be {}", shown(found, key), shown(intended, key))
    };
    let differing = differing(intended, found).into_iter().filter(|key| !FREE.contains(key));
    sentence(differing.map(how))
}

fn sentence(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn differing<'a>(one: &'a Config, other: &'a Config) -> BTreeSet<&'a str> {
    let value = |map: &Config, key: &str| map.get(key).and_then(pruned);
    let keys = one.keys().chain(other.keys()).map(String::as_str);
    keys.filter(|key| value(one, key) != value(other, key)).collect()
}

/// The value without what means "none": whoever asks for no limit says 0 or nothing, and the server
/// answers -1.
fn pruned(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) => {
            number.as_i64().is_none_or(|number| number > 0).then(|| value.clone())
        }
        Value::String(text) => (!text.is_empty() && text != "none").then(|| value.clone()),
        Value::Array(values) => (!values.is_empty()).then(|| value.clone()),
        Value::Object(fields) => {
            let own = fields.iter().filter(|(name, _)| !name.starts_with("_nats."));
            let fields: Config =
                own.filter_map(|(name, value)| Some((name.clone(), pruned(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Bool(true) => Some(value.clone()),
    }
}

fn shown(config: &Config, key: &str) -> String {
    match config.get(key) {
        None | Some(Value::Null) => "unset".to_owned(),
        Some(Value::Number(number)) if TIMES.contains(&key) => number
            .as_u64()
            .map_or(number.to_string(), |ns| format!("{:?}", Duration::from_nanos(ns))),
        // The server's way to say that there is no limit.
        Some(Value::Number(number)) if key.starts_with("max_") && number.as_i64() == Some(0) => {
            "-1".to_owned()
        }
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_means_no_limit_is_no_difference() {
        let asked = config(json!({ "max_msgs": 0, "max_age": 0, "metadata": {} }));
        let answered = config(json!({
            "max_msgs": -1, "max_bytes": -1, "sealed": false, "compression": "none",
            "metadata": { "_nats.ver": "2.15.1" }, "consumer_limits": {}
        }));
        assert_eq!(changes(&asked, &answered), None);
        assert_eq!(unlike_intended(&asked, &answered), None);
    }

    #[test]
    fn each_difference_is_told_with_both_values() {
        let before = config(json!({ "max_msgs": -1, "max_age": 0, "subjects": ["a"] }));
        let now = config(json!({
            "max_msgs": 7, "max_age": 60_000_000_000_u64, "subjects": ["b"], "sealed": true
        }));
        assert_eq!(
            changes(&before, &now).unwrap(),
            r#"`max_age` was 0ns and is 60s, `max_msgs` was -1 and is 7, `sealed` was unset and is true, `subjects` was ["a"] and is ["b"]"#
        );
        assert_eq!(
            unlike_intended(&before, &config(json!({ "num_replicas": 3, "subjects": ["b"] })))
                .unwrap(),
            r#"`subjects` is ["b"], and should be ["a"]"#
        );
    }

    #[test]
    fn every_stream_of_payments_has_an_intended_form() {
        for name in [payment::REQUESTS, payment::INTENTS, payment::LEDGER, payment::FAILURES] {
            assert_eq!(intended(name).unwrap()["name"], name);
        }
        assert!(intended(payment::DEAD_LETTERS).is_some() && intended("other").is_none());
    }
}
