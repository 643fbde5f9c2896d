//! The streams of a system as a fixture makes them: with the settings that a server does not have by
//! itself.

use serde_json::{Map, Value as Json};
use toml_edit::{Item, Table, value};

use super::heard::Holding;
use crate::e2e::scenario::form::{Form, Key};
use crate::e2e::scenario::stored_keys::{CONSUMER, STREAM};
use crate::e2e::text::pattern::to_toml;
use crate::e2e::text::template;

/// What a server does by itself, by the settings that say so; numbers and durations beside these are 0 or
/// -1 then.
const USUAL: [(&str, &str); 7] = [
    ("retention", "limits"),
    ("storage", "file"),
    ("discard", "old"),
    ("compression", "none"),
    ("ack_policy", "explicit"),
    ("deliver_policy", "all"),
    ("replay_policy", "instant"),
];
/// The same of a consumer, as numbers; durations in nanoseconds.
const USUAL_NUMBERS: [(&str, i64); 3] =
    [("ack_wait", 30_000_000_000), ("max_ack_pending", 1000), ("max_waiting", 512)];
/// How long a message id is known where nothing is said, in nanoseconds.
const DUPLICATES: u64 = 120_000_000_000;
/// They need a server, or a stream, that a scenario does not have.
const ELSEWHERE: [&str; 4] = ["mirror", "sources", "num_replicas", "first_seq"];

/// The table of a stream and its consumers, and the settings that it leaves out.
pub(super) fn table(stream: &Holding) -> (Table, Vec<String>) {
    let (mut table, left_out) = settings(&stream.config, STREAM);
    let mut left_out: Vec<String> = left_out.into_iter().map(str::to_owned).collect();
    let mut consumers = Table::new();
    consumers.set_implicit(true);
    for config in &stream.consumers {
        let Some(name) = config.get("durable_name").and_then(Json::as_str) else { continue };
        let (consumer, missing) = settings(config, CONSUMER);
        left_out.extend(missing.iter().map(|key| format!("{key} of its consumer {name}")));
        consumers.insert(name, Item::Table(consumer));
    }
    if !consumers.is_empty() {
        table.insert("consumers", Item::Table(consumers));
    }
    (table, left_out)
}

/// The settings that a server does not have by itself, and those of them that a fixture cannot have.
fn settings(config: &Map<String, Json>, keys: &[Key]) -> (Table, Vec<&'static str>) {
    let (mut table, mut left_out) = (Table::new(), Vec::new());
    for key in keys {
        let Some(setting) = config.get(key.word).filter(|of| !is_usual(key.word, of, config))
        else {
            continue;
        };
        let written = match key.form {
            _ if ELSEWHERE.contains(&key.word) => None,
            Form::Duration => duration(setting).map(toml_edit::Value::from),
            Form::Durations => {
                let each = setting.as_array().into_iter().flatten().map(duration);
                let each = each.collect::<Option<Vec<String>>>();
                each.map(|each| toml_edit::Value::from_iter(each.iter().map(String::as_str)))
            }
            // The server's own words on a stream.
            Form::Object => to_toml(&as_text(&without_own(setting))),
            _ => to_toml(&as_text(setting)),
        };
        match written {
            Some(written) => table[key.word] = value(written),
            // A cluster's number of copies is no news.
            None if key.word == "num_replicas" => {}
            None => left_out.push(key.word),
        }
    }
    (table, left_out)
}

fn is_usual(key: &str, setting: &Json, config: &Map<String, Json>) -> bool {
    let usual = USUAL.iter().find(|(known, _)| *known == key).map(|(_, usual)| *usual);
    let window = match config.get("max_age").and_then(Json::as_u64) {
        Some(age @ 1..DUPLICATES) => age,
        _ => DUPLICATES,
    };
    match setting {
        Json::Null => true,
        Json::Bool(truth) => !truth,
        Json::String(text) => text.is_empty() || usual == Some(text),
        Json::Number(number) => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            number <= 0
                || USUAL_NUMBERS.contains(&(key, number))
                || key == "duplicate_window" && number.unsigned_abs() == window
        }
        Json::Array(items) => items.is_empty(),
        Json::Object(_) => without_own(setting).as_object().is_none_or(Map::is_empty),
    }
}

/// Without the metadata that a server adds.
fn without_own(setting: &Json) -> Json {
    let Json::Object(fields) = setting else { return setting.clone() };
    let own = fields.iter().filter(|(name, _)| !name.starts_with("_nats."));
    own.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

/// Texts that stand for themselves.
fn as_text(setting: &Json) -> Json {
    match setting {
        Json::String(text) => template::escaped(text).into(),
        Json::Array(items) => items.iter().map(as_text).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(key, of)| (key.clone(), as_text(of))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Nanoseconds as a fixture has durations, if it can have this one.
fn duration(nanos: &Json) -> Option<String> {
    let nanos = nanos.as_u64()?;
    let units = [(60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms")];
    let (unit, name) = units.into_iter().find(|(unit, _)| nanos % unit == 0)?;
    Some(format!("{}{name}", nanos / unit))
}

/// `[streams]`, with all of them.
pub(super) fn tables(streams: &[Holding]) -> Item {
    let mut all = Table::new();
    all.set_implicit(true);
    for stream in streams {
        all.insert(&stream.name, Item::Table(table(stream).0));
    }
    Item::Table(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(config: Json) -> (String, Vec<String>) {
        with_consumers(config, &json!([]))
    }

    fn with_consumers(config: Json, consumers: &Json) -> (String, Vec<String>) {
        let config = config.as_object().unwrap().clone();
        let consumers = consumers.as_array().unwrap().iter();
        let consumers = consumers.map(|config| config.as_object().unwrap().clone()).collect();
        let holding = Holding { name: "ORDERS".to_owned(), config, messages: 0, consumers };
        let (table, left_out) = table(&holding);
        let mut document = toml_edit::DocumentMut::new();
        document["S"] = Item::Table(table);
        let text = document.to_string();
        (text.strip_prefix("[S]\n").unwrap_or(&text).to_owned(), left_out)
    }

    /// As nats-server answers for a durable consumer of which little was said, and for one of which much
    /// was.
    #[test]
    fn consumers_are_written_with_what_they_have_of_their_own() {
        let usual = json!({
            "durable_name": "worker", "name": "worker", "deliver_policy": "all", "ack_policy": "explicit",
            "ack_wait": 30_000_000_000_u64, "max_deliver": -1, "max_waiting": 512, "max_ack_pending": 1000,
            "replay_policy": "instant", "num_replicas": 3, "metadata": { "_nats.level": "1" },
        });
        let own = json!({
            "durable_name": "billing.eu", "filter_subject": "orders.eu.*", "ack_wait": 2_000_000_000_u64,
            "max_deliver": 5, "backoff": [1_000_000_000_u64, 2_500_000_000_u64], "ack_policy": "all",
            "max_ack_pending": 10, "deliver_policy": "new", "inactive_threshold": 1_000_001,
        });
        let stream = json!({ "subjects": ["orders.>"] });
        let (said, left_out) = with_consumers(stream, &json!([own, usual]));
        assert_eq!(
            said,
            "subjects = [\"orders.>\"]\n\n[S.consumers.\"billing.eu\"]\nfilter_subject = \"orders.eu.*\"\n\
             ack_policy = \"all\"\nack_wait = \"2s\"\nmax_deliver = 5\nbackoff = [\"1s\", \"2500ms\"]\n\
             max_ack_pending = 10\ndeliver_policy = \"new\"\n\n[S.consumers.worker]\n"
        );
        assert_eq!(left_out, ["inactive_threshold of its consumer billing.eu"]);
    }

    #[test]
    fn only_settings_that_say_something_are_written() {
        // As nats-server answers for a stream of which only the subjects were said.
        let usual = json!({
            "name": "ORDERS", "subjects": ["orders.>"], "retention": "limits", "max_consumers": -1,
            "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msgs_per_subject": -1,
            "max_msg_size": -1, "discard": "old", "storage": "file", "num_replicas": 3,
            "duplicate_window": 120_000_000_000_u64, "compression": "none", "allow_direct": false,
            "mirror_direct": false, "sealed": false, "deny_delete": false, "deny_purge": false,
            "allow_rollup_hdrs": false, "consumer_limits": {},
            "metadata": { "_nats.level": "1", "_nats.req.level": "0" },
        });
        assert_eq!(written(usual), ("subjects = [\"orders.>\"]\n".to_owned(), Vec::new()));
        let (said, left_out) = written(json!({
            "subjects": ["orders.>"], "retention": "workqueue", "max_age": 600_000_000_000_u64,
            "duplicate_window": 1_500_000_000_u64, "max_msgs": 10, "allow_direct": true,
            "metadata": { "team": "{{x}}", "_nats.level": "1" }, "sources": [{ "name": "A" }],
            "subject_delete_marker_ttl": 1_000_001,
        }));
        assert_eq!(
            said,
            "subjects = [\"orders.>\"]\nretention = \"workqueue\"\nmax_msgs = 10\nmax_age = \"10m\"\n\
             duplicate_window = \"1500ms\"\nallow_direct = true\nmetadata = { team = '\\{{x}}' }\n"
        );
        assert_eq!(left_out, ["subject_delete_marker_ttl", "sources"]);
    }
}
