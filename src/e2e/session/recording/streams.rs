//! The streams of a system as a fixture makes them: with the settings that a server does not have by
//! itself.

use serde_json::{Map, Value as Json};
use toml_edit::{Item, Table, value};

use super::heard::Holding;
use crate::e2e::scenario::form::Form;
use crate::e2e::scenario::stored_keys::STREAM;
use crate::e2e::text::pattern::to_toml;
use crate::e2e::text::template;

/// What a server does by itself, by the settings that say so; numbers and durations beside these are 0 or
/// -1 then.
const USUAL: [(&str, &str); 4] =
    [("retention", "limits"), ("storage", "file"), ("discard", "old"), ("compression", "none")];
/// How long a message id is known where nothing is said, in nanoseconds.
const DUPLICATES: u64 = 120_000_000_000;
/// They need a server, or a stream, that a scenario does not have.
const ELSEWHERE: [&str; 4] = ["mirror", "sources", "num_replicas", "first_seq"];

/// The table of a stream, and the settings that it leaves out.
pub(super) fn table(stream: &Holding) -> (Table, Vec<&'static str>) {
    let (mut table, mut left_out) = (Table::new(), Vec::new());
    for key in STREAM {
        let Some(setting) =
            stream.config.get(key.word).filter(|of| !is_usual(key.word, of, &stream.config))
        else {
            continue;
        };
        let written = match key.form {
            _ if ELSEWHERE.contains(&key.word) => None,
            Form::Duration => duration(setting).map(toml_edit::Value::from),
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
            number <= 0 || key == "duplicate_window" && number.unsigned_abs() == window
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

    fn written(config: Json) -> (String, Vec<&'static str>) {
        let config = config.as_object().unwrap().clone();
        let holding = Holding { name: "ORDERS".to_owned(), config, messages: 0 };
        let (table, left_out) = table(&holding);
        (table.to_string(), left_out)
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
