//! `[streams]`, `[kv]`, `[objects]`: what the broker has before the services start.

use std::time::Duration;

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::ast::stored::Stored;
use super::data::as_integer;
use super::findings::Findings;
use super::form::{Form, Key};
use super::reader::{Fields, duration};
use super::stored_keys::{CONSUMER, KV, OBJECTS, STREAM};
use crate::e2e::scenario::{keys, subjects};
use crate::e2e::text::span::Span;

/// How long a message id is known where nothing is said: a key's window is no longer than it lives.
const DUPLICATES: Duration = Duration::from_secs(120);

/// What the file asks for, each once; what a scenario has beside its suite is in `already`.
pub(in crate::e2e) fn read(
    top: &Fields<'_, '_>,
    already: &[Stored],
    findings: &mut Findings,
) -> Vec<Stored> {
    let mut all = already.to_vec();
    type Read = fn(&str, &Fields<'_, '_>, &mut Findings) -> Stored;
    let kinds: [(&str, &[Key], Read); 3] =
        [("streams", STREAM, stream), ("kv", KV, bucket), ("objects", OBJECTS, objects)];
    for (kind, keys, read) in kinds {
        for (name, fields) in tables(top, kind, &format!("key of `[{kind}.NAME]`"), keys, findings)
        {
            let stored = read(name, &fields.1, findings);
            match all.iter().find(|other| other.name == stored.name) {
                Some(other) => {
                    let whose = if already.contains(other) { " by the suite" } else { "" };
                    let message = format!(
                        "{} is stream {}, which is asked for already{whose}, as {}",
                        stored.written, stored.name, other.written
                    );
                    let help = "each is made once, and a scenario adds to what its suite has";
                    findings.add_with_help(fields.0, message, help);
                }
                None => {
                    if let Some(message) = overlap(&stored, &all) {
                        let place = match fields.1.get("subjects") {
                            Some(_) => fields.1.span_of("subjects"),
                            None => fields.0,
                        };
                        let help = "JetStream takes a subject into one stream; another one can copy \
                                    from that, by `sources`";
                        findings.add_with_help(place, message, help);
                    }
                    all.push(stored);
                }
            }
        }
    }
    all
}

/// Which other stream takes one of its subjects, in a sentence: JetStream makes no second one.
fn overlap(stored: &Stored, all: &[Stored]) -> Option<String> {
    all.iter().find_map(|other| {
        let theirs = subjects(other);
        let (own, taken) = subjects(stored).into_iter().find_map(|own| {
            Some((own, *theirs.iter().find(|theirs| subjects::meet(own, theirs))?))
        })?;
        Some(format!("{} takes `{own}`, and {} takes `{taken}`", stored.written, other.written))
    })
}

/// What it takes; its own name where it says nothing, and copies from no other.
fn subjects(stored: &Stored) -> Vec<&str> {
    let says = |key: &str| stored.config.get(key);
    match says("subjects").and_then(Value::as_array) {
        Some(subjects) => subjects.iter().filter_map(Value::as_str).collect(),
        None if says("mirror").or(says("sources")).is_some() => Vec::new(),
        None => vec![&stored.name],
    }
}

/// Tables by name, each with the place of its name.
fn tables<'a, 'i>(
    top: &Fields<'a, 'i>,
    key: &str,
    what: &str,
    keys: &[Key],
    findings: &mut Findings,
) -> Vec<(&'a str, (Span, Fields<'a, 'i>))> {
    let Some((table, _)) = top.table(key, findings) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, item) in table {
        let text: &str = name.get_ref().as_ref();
        if !is_name(text) {
            let message = format!("`{text}` must be a name of letters, digits, `_` and `-`");
            findings.add(name.span(), message);
            continue;
        }
        match item.get_ref() {
            DeValue::Table(table) => {
                let fields = Fields::new(table, name.span(), what, &keys::words(keys), findings);
                found.push((text, (name.span(), fields)));
            }
            _ => findings.wrong_type(text, item, "a table"),
        }
    }
    found
}

/// What all of streams, consumers and buckets may be called, also as folders.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

fn stream(name: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Stored {
    let mut config = values(STREAM, fields, findings);
    let what = "key of a consumer";
    let consumers = tables(fields, "consumers", what, CONSUMER, findings).into_iter();
    let consumers = consumers.map(|(name, (_, fields))| {
        let mut config = values(CONSUMER, &fields, findings);
        // As all client libraries have it; the server's own is `none`, which nobody means.
        config.entry("ack_policy").or_insert_with(|| json!("explicit"));
        config.insert("durable_name".to_owned(), json!(name));
        (name.to_owned(), config)
    });
    let consumers = consumers.collect();
    config.insert("name".to_owned(), json!(name));
    Stored { written: format!("stream {name}"), name: name.to_owned(), config, consumers }
}

/// A bucket as client libraries make it (ADR-8).
fn bucket(name: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Stored {
    let asked = values(KV, fields, findings);
    let stream = format!("KV_{name}");
    let own = json!({
        "name": stream,
        "subjects": [format!("$KV.{name}.>")],
        "max_msgs_per_subject": 1,
        "discard": "new",
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        "allow_direct": true,
    });
    let config = with(own, asked);
    Stored { written: format!("kv {name}"), name: stream, config, consumers: Vec::new() }
}

/// An object store as client libraries make it (ADR-20).
fn objects(name: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Stored {
    let asked = values(OBJECTS, fields, findings);
    let stream = format!("OBJ_{name}");
    let own = json!({
        "name": stream,
        "subjects": [format!("$O.{name}.C.>"), format!("$O.{name}.M.>")],
        "discard": "new",
        "allow_rollup_hdrs": true,
        "allow_direct": true,
    });
    let config = with(own, asked);
    Stored { written: format!("objects {name}"), name: stream, config, consumers: Vec::new() }
}

/// The settings of a bucket's stream, with those that have another name there.
fn with(own: Value, asked: Map<String, Value>) -> Map<String, Value> {
    let Value::Object(mut config) = own else { return asked };
    for (key, value) in asked {
        let key = match key.as_str() {
            "history" => "max_msgs_per_subject",
            "max_value_size" => "max_msg_size",
            "ttl" => {
                let window = value.as_u64().unwrap_or_default().min(nanos(DUPLICATES));
                config.insert("duplicate_window".to_owned(), json!(window));
                "max_age"
            }
            same => same,
        };
        config.insert(key.to_owned(), value);
    }
    config
}

/// The settings that are there, as JetStream takes them.
fn values(keys: &[Key], fields: &Fields<'_, '_>, findings: &mut Findings) -> Map<String, Value> {
    let values = keys.iter().filter_map(|key| {
        let value = match key.form {
            Form::Text => fields.text(key.word, findings).map(Value::from),
            Form::Texts => fields.texts(key.word, findings).map(Value::from),
            Form::Truth => fields.truth(key.word, findings).map(Value::from),
            Form::Count(least) => fields.count(key.word, least, findings).map(Value::from),
            Form::Integer => integer(key.word, fields, findings),
            Form::Duration => fields.duration(key.word, findings).map(nanos).map(Value::from),
            Form::Durations => durations(key.word, fields, findings),
            Form::Word(words) => word(key.word, words, fields, findings),
            Form::Object => fields.object(key.word, findings).map(Value::from),
            Form::Array => array(key.word, fields, findings),
            _ => None,
        };
        Some((key.word.to_owned(), value?))
    });
    values.collect()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn integer(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let item = fields.get(key)?;
    let number = as_integer(item);
    if number.is_none() {
        findings.wrong_type(key, item, "a whole number");
    }
    number.map(Value::from)
}

fn array(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let value = fields.json(key, findings)?;
    if let (false, Some(item)) = (value.is_array(), fields.get(key)) {
        findings.wrong_type(key, item, "an array");
    }
    Some(value)
}

fn durations(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let texts = fields.texts(key, findings)?;
    let mut all = Vec::new();
    for text in texts {
        match duration(&text) {
            Some(duration) => all.push(nanos(duration)),
            None => {
                let message = format!("`{text}` is not a duration: expected as in \"5s\"");
                findings.add(fields.span_of(key), message);
            }
        }
    }
    Some(all.into())
}

fn word(
    key: &str,
    words: &[&str],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<Value> {
    let text = fields.text(key, findings)?;
    if !words.contains(&text.as_str()) {
        findings.unknown(fields.span_of(key), &format!("value of `{key}`"), &text, words);
    }
    Some(text.into())
}
