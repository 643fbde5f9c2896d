//! What a broker itself brings to a place. Streams copy others, rename subjects and republish, so that a
//! message comes where nobody sent it, and an "effect" is there that no service wrote.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::ast::promise::Place;

/// A stream's name, and its settings as JetStream has them.
pub(in crate::e2e) type Configured<'a> = (&'a str, &'a Map<String, Value>);

/// Messages that are on their way, or at their end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::e2e) enum At {
    /// Sent on such a subject.
    Sent(String),
    /// In a stream, under such a subject.
    Stored { stream: String, subject: String },
}

impl At {
    /// What would be an effect, where a broker has it.
    pub(in crate::e2e) fn of(place: &Place) -> Vec<Self> {
        match place {
            Place::Stream { names, subjects } => {
                let of = |name| match subjects.as_slice() {
                    [] => vec![Self::stream(name, None)],
                    some => some.iter().map(|one| Self::stream(name, Some(one))).collect(),
                };
                names.iter().flat_map(|name| of(name)).collect()
            }
            Place::Subjects(subjects) => subjects.iter().cloned().map(Self::Sent).collect(),
            Place::Kv(bucket) => vec![
                Self::stream(&format!("KV_{bucket}"), None),
                Self::Sent(format!("$KV.{bucket}.>")),
            ],
            Place::Log(_) | Place::File(_) | Place::Command(_) => Vec::new(),
        }
    }

    /// In a stream, on all subjects or on some.
    pub(in crate::e2e) fn stream(name: &str, subject: Option<&str>) -> Self {
        Self::Stored { stream: name.to_owned(), subject: subject.unwrap_or(">").to_owned() }
    }
}

/// The subjects, with wildcards, on which whatever is sent comes to one of these places.
pub(in crate::e2e) fn feeds(
    places: impl IntoIterator<Item = At>,
    streams: &[Configured<'_>],
) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut left: Vec<At> = places.into_iter().collect();
    while let Some(at) = left.pop() {
        if known.insert(at.clone()) {
            left.extend(before(&at, streams));
        }
    }
    let sent = known.into_iter().filter_map(|at| match at {
        At::Sent(subject) => Some(subject),
        At::Stored { .. } => None,
    });
    sent.collect()
}

/// Where what is there has been a moment before.
fn before(at: &At, streams: &[Configured<'_>]) -> Vec<At> {
    match at {
        At::Sent(subject) => {
            let republished = streams.iter().filter_map(|(name, config)| {
                let (from, to) = renames(config.get("republish")?);
                both(&to, subject).map(|_| At::stream(name, Some(&from)))
            });
            republished.collect()
        }
        At::Stored { stream, subject } => {
            let configured = streams.iter().find(|(name, _)| name == stream);
            configured.map_or_else(Vec::new, |(name, config)| stored(name, config, subject))
        }
    }
}

/// Where what a stream has under such a subject comes from.
fn stored(name: &str, config: &Map<String, Value>, subject: &str) -> Vec<At> {
    let list = |key: &str| config.get(key).and_then(Value::as_array).into_iter().flatten();
    // A stream may rename what it stores.
    let renamed = config.get("subject_transform").filter(|of| of.is_object()).map(renames);
    let renamed = renamed.filter(|(_, to)| both(to, subject).is_some()).map(|(from, _)| from);
    let wanted: Vec<String> = renamed.into_iter().chain([subject.to_owned()]).collect();
    let origins: Vec<&Value> =
        list("sources").chain(config.get("mirror").filter(|of| of.is_object())).collect();
    let mut taken: Vec<&str> = list("subjects").filter_map(Value::as_str).collect();
    if taken.is_empty() && origins.is_empty() {
        taken.push(name);
    }
    let sent = taken.iter().flat_map(|taken| wanted.iter().filter_map(|one| both(taken, one)));
    let copied =
        origins.iter().flat_map(|origin| wanted.iter().flat_map(|one| copied(origin, one)));
    sent.map(At::Sent).chain(copied).collect()
}

/// What is copied of another stream, with a filter or under another subject.
fn copied(origin: &Value, subject: &str) -> Vec<At> {
    let Some(name) = origin.get("name").and_then(Value::as_str) else { return Vec::new() };
    let renamed = origin.get("subject_transforms").and_then(Value::as_array);
    let from: Vec<String> = match renamed.filter(|all| !all.is_empty()) {
        Some(all) => {
            let all = all.iter().map(renames).filter(|(_, to)| both(to, subject).is_some());
            all.map(|(from, _)| from).collect()
        }
        None => {
            let filter = origin.get("filter_subject").and_then(Value::as_str);
            let filter = filter.filter(|filter| !filter.is_empty()).unwrap_or(">");
            both(filter, subject).into_iter().collect()
        }
    };
    from.iter().map(|from| At::stream(name, Some(from))).collect()
}

/// From which subjects to which: `{ src = "orders.>", dest = "done.>" }`.
fn renames(rule: &Value) -> (String, String) {
    let part = |key: &str| {
        let text = rule.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.unwrap_or(">")
    };
    let from = part("src").to_owned();
    let to = match rule.get("dest").and_then(Value::as_str) {
        Some(to) if !to.is_empty() => written(to),
        _ => from.clone(),
    };
    (from, to)
}

/// What a destination can become: a function stands for one word, or for several (ADR-30).
fn written(destination: &str) -> String {
    let mut words = Vec::new();
    for word in destination.split('.') {
        let several = ["{{split", "{{slice"].iter().any(|function| word.starts_with(function));
        if several {
            words.push(">");
            break;
        }
        let one = word.starts_with("{{")
            || word.strip_prefix('$').is_some_and(|n| n.parse::<u32>().is_ok());
        words.push(if one { "*" } else { word });
    }
    words.join(".")
}

/// The subjects that both describe, each with wildcards or without; `None` where there are none.
pub(in crate::e2e) fn both(one: &str, other: &str) -> Option<String> {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    let mut words = Vec::new();
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Some(words.join(".")),
            (Some(">"), Some(b)) => {
                words.extend([b].into_iter().chain(other));
                return Some(words.join("."));
            }
            (Some(a), Some(">")) => {
                words.extend([a].into_iter().chain(one));
                return Some(words.join("."));
            }
            (Some("*"), Some(b)) => words.push(b),
            (Some(a), Some(b)) if b == "*" || a == b => words.push(a),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The subjects that come to `DONE`, or to some of its subjects, beside these streams.
    fn to_done(subject: Option<&str>, streams: &[(&str, Value)]) -> Vec<String> {
        let streams: Vec<Configured<'_>> =
            streams.iter().map(|(name, config)| (*name, config.as_object().unwrap())).collect();
        feeds([At::stream("DONE", subject)], &streams).into_iter().collect()
    }

    #[test]
    fn a_message_comes_by_copies_other_names_and_republishing() {
        let orders = ("ORDERS", json!({ "subjects": ["orders.>"] }));
        let done = |config| [orders.clone(), ("DONE", config)];
        for config in [
            json!({ "mirror": { "name": "ORDERS" } }),
            json!({ "sources": [{ "name": "ORDERS" }] }),
            json!({ "subjects": ["orders.>"] }),
        ] {
            assert_eq!(to_done(None, &done(config.clone())), ["orders.>"], "{config}");
            assert_eq!(to_done(Some("orders.*"), &done(config.clone())), ["orders.*"], "{config}");
            assert_eq!(to_done(Some("done.*"), &done(config.clone())), [""; 0], "{config}");
        }
        let filtered = json!({ "sources": [{ "name": "ORDERS", "filter_subject": "orders.a.*" }] });
        assert_eq!(to_done(None, &done(filtered)), ["orders.a.*"]);
        let renamed = json!({ "sources": [{ "name": "ORDERS", "subject_transforms": [
            { "src": "orders.new.*", "dest": "done.{{wildcard(1)}}" }] }] });
        assert_eq!(to_done(Some("done.>"), &done(renamed.clone())), ["orders.new.*"]);
        assert_eq!(to_done(Some("orders.>"), &done(renamed)), [""; 0]);
        let itself = json!({ "subjects": ["a.>"], "subject_transform":
            { "src": "a.>", "dest": "shipped.>" } });
        assert_eq!(to_done(Some("shipped.*"), &done(itself)), ["a.>"]);
        let republishes = json!({ "subjects": ["orders.>"], "republish":
            { "src": "orders.*", "dest": "done.$1" } });
        let streams = [("ORDERS", republishes), ("DONE", json!({ "subjects": ["done.>"] }))];
        assert_eq!(to_done(None, &streams), ["done.>", "orders.*"]);
        assert_eq!(to_done(Some("done.a.b"), &streams), ["done.a.b"]);
        // A circle ends.
        let circle = [
            ("DONE", json!({ "sources": [{ "name": "ORDERS" }] })),
            ("ORDERS", json!({ "subjects": ["o"], "sources": [{ "name": "DONE" }] })),
        ];
        assert_eq!(to_done(None, &circle), ["o"]);
        assert_eq!(to_done(None, &[("DONE", json!({}))]), ["DONE"]);
    }

    #[test]
    fn subjects_with_wildcards_meet_where_one_subject_is_both() {
        for (one, other, met) in [
            ("a.b", "a.b", "a.b"),
            ("a.*", "*.b", "a.b"),
            ("a.>", "a.b.c", "a.b.c"),
            (">", "a", "a"),
            ("a.*.c", "a.>", "a.*.c"),
        ] {
            assert_eq!(both(one, other).as_deref(), Some(met));
            assert_eq!(both(other, one).as_deref(), Some(met));
        }
        for (one, other) in
            [("a.b", "a.c"), ("a.>", "a"), ("a.*", "a.b.c"), ("receipts.>", "receipt.*")]
        {
            assert_eq!((both(one, other), both(other, one)), (None, None));
        }
    }
}
