//! What is held: by streams and buckets, by consumers, and of what services have printed.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::json;

use super::answer::Answer;
use crate::broker::subject_matches;
use crate::counted::counted;
use crate::e2e::scenario::ast::held::{ConsumerCheck, KvCheck, LogCheck, StreamCheck};
use crate::e2e::text::data::Data;
use crate::e2e::text::matcher::{canonical, compare};
use crate::wire::headers::bounded;

/// So much of a line is shown, bytes.
const SHOWN: usize = 200;

/// What a stream holds.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Held {
    pub(in crate::e2e) count: u64,
    pub(in crate::e2e) subjects: u64,
    /// Oldest first, where they are asked for.
    pub(in crate::e2e) messages: Vec<Message>,
}

/// One of its messages.
#[derive(Debug)]
pub(in crate::e2e) struct Message {
    pub(in crate::e2e) subject: String,
    pub(in crate::e2e) headers: Data,
    pub(in crate::e2e) body: Data,
}

/// What a bucket has of one key.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Entry {
    /// The newest value, if there is one.
    pub(in crate::e2e) value: Option<Data>,
    pub(in crate::e2e) revision: u64,
    /// All values that are kept, oldest first.
    pub(in crate::e2e) values: Vec<Data>,
}

/// What a consumer has left, and what it gave up.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::e2e) struct State {
    pub(in crate::e2e) pending: u64,
    pub(in crate::e2e) unacknowledged: u64,
    pub(in crate::e2e) redelivered: u64,
    pub(in crate::e2e) terminated: u64,
    pub(in crate::e2e) exhausted: u64,
}

pub(in crate::e2e) fn stream(check: &StreamCheck, held: &Held) -> Answer {
    let name = &check.name;
    for (wanted, seen, what) in
        [(check.messages, held.count, "message"), (check.subjects, held.subjects, "subject")]
    {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != seen) {
            return Err(format!("{name} holds {}, not {wanted}", counted(seen, what)));
        }
    }
    let mut lines = Vec::new();
    lines.extend(check.messages.map(|many| format!("{name}: {}", counted(many, "message"))));
    lines.extend(check.subjects.map(|many| format!("{name}: {}", counted(many, "subject"))));
    for (subject, wanted) in &check.by_subject {
        let on = held.messages.iter().filter(|message| subject_matches(subject, &message.subject));
        let seen = on.count() as u64;
        if seen != *wanted {
            let others = subjects_of(&held.messages);
            return Err(format!(
                "{name} holds {} on {subject}, not {wanted}; it has {others}",
                counted(seen, "message")
            ));
        }
        lines.push(format!("{name}: {} on {subject}", counted(seen, "message")));
    }
    if let Some(pointer) = &check.unique {
        unique(name, pointer, &held.messages)?;
        lines.push(format!("{name}: {pointer} is in no two messages the same"));
    }
    for (pattern, key, part) in
        [(&check.each, "each", "body"), (&check.headers, "headers", "headers")]
    {
        let Some(pattern) = pattern else { continue };
        for message in &held.messages {
            let seen = if key == "each" { &message.body } else { &message.headers };
            compare(pattern, seen, false, key)
                .map_err(|difference| format!("{name}, on {}: {difference}", message.subject))?;
        }
        if held.messages.is_empty() {
            return Err(format!("{name} holds no message whose {part} could be looked at"));
        }
        let what = if key == "each" { "each is" } else { "each has headers" };
        lines.push(format!("{name}: {what} {}", canonical(pattern)));
    }
    if let Some(pattern) = &check.last {
        let Some(last) = held.messages.last() else {
            return Err(format!("{name} holds no message"));
        };
        compare(pattern, &last.body, false, "last")
            .map_err(|difference| format!("{name}, on {}: {difference}", last.subject))?;
        lines.push(format!("{name}: the last is {}", canonical(pattern)));
    }
    if lines.is_empty() {
        lines.push(format!("{name} is there"));
    }
    Ok(lines)
}

/// `2 on orders.new, 1 on orders.old`.
fn subjects_of(messages: &[Message]) -> String {
    let mut many: BTreeMap<&str, usize> = BTreeMap::new();
    messages.iter().for_each(|message| *many.entry(&message.subject).or_default() += 1);
    match many.is_empty() {
        true => "none".to_owned(),
        false => {
            let told: Vec<String> =
                many.iter().map(|(on, many)| format!("{many} on {on}")).collect();
            told.join(", ")
        }
    }
}

fn unique(name: &str, pointer: &str, messages: &[Message]) -> Result<(), String> {
    let mut known: BTreeMap<&Data, usize> = BTreeMap::new();
    for (at, message) in messages.iter().enumerate() {
        let Some(value) = message.body.pointer(pointer) else {
            return Err(format!("{name}, on {}: there is no {pointer}", message.subject));
        };
        if let Some(earlier) = known.insert(value, at) {
            let subjects = (&messages[earlier].subject, &message.subject);
            return Err(format!(
                "{name} holds two messages with {pointer} {value}, on {} and on {}",
                subjects.0, subjects.1
            ));
        }
    }
    match messages.is_empty() {
        true => Err(format!("{name} holds no message that could have a {pointer}")),
        false => Ok(()),
    }
}

pub(in crate::e2e) fn bucket(check: &KvCheck, keys: u64, entry: &Entry) -> Answer {
    let name = &check.bucket;
    let mut lines = Vec::new();
    if let Some(wanted) = check.keys {
        if wanted != keys {
            return Err(format!("{name} has {}, not {wanted}", counted(keys, "key")));
        }
        lines.push(format!("{name}: {}", counted(keys, "key")));
    }
    if let Some(key) = &check.key {
        match (&check.value, &entry.value) {
            (Some(pattern), None) if *pattern == "#absent" => {
                lines.push(format!("{name}: {key} has no value"));
                return Ok(lines);
            }
            (Some(pattern), Some(value)) if *pattern == "#absent" => {
                return Err(format!("{key} of {name} is {value}, and should have no value"));
            }
            (_, None) => return Err(format!("{name} has no {key}")),
            _ => {}
        }
        let revision = Data::from(json!(entry.revision));
        let values = entry.values.iter().cloned().collect();
        for (pattern, seen, what) in [
            (&check.value, entry.value.as_ref().unwrap_or(&Data::Null), "value"),
            (&check.revision, &revision, "revision"),
            (&check.values, &values, "values"),
        ] {
            let Some(pattern) = pattern else { continue };
            compare(pattern, seen, false, what)
                .map_err(|difference| format!("{key} of {name}: {difference}"))?;
            lines.push(format!("{name}: {what} of {key} is {}", canonical(pattern)));
        }
    }
    if lines.is_empty() {
        lines.push(match &check.key {
            Some(key) => format!("{name}: {key} is there"),
            None => format!("{name} is there"),
        });
    }
    Ok(lines)
}

pub(in crate::e2e) fn log<'a>(check: &LogCheck, lines: impl Iterator<Item = &'a str>) -> Answer {
    let LogCheck { service, matches, count } = check;
    let regex = Regex::new(matches).map_err(|error| format!("/{matches}/: {error}"))?;
    let found: Vec<&str> = lines.filter(|line| regex.is_match(line)).collect();
    let many = found.len() as u64;
    let is = || counted(many, "line");
    match count {
        None if many == 0 => Err(format!("{service} printed no line that matches /{matches}/")),
        Some(wanted) if *wanted != many => {
            let last = found.last().map(|line| format!(", the last `{}`", bounded(line, SHOWN)));
            let last = last.unwrap_or_default();
            Err(format!("{service} printed {} that match /{matches}/, not {wanted}{last}", is()))
        }
        Some(_) => Ok(vec![format!("{service}: {} that match /{matches}/", is())]),
        None => Ok(vec![format!("{service}: a line matches /{matches}/")]),
    }
}

pub(in crate::e2e) fn consumer(check: &ConsumerCheck, state: State) -> Answer {
    let ConsumerCheck { name, stream, .. } = check;
    let mut lines = Vec::new();
    for (wanted, seen, what) in [
        (check.pending, state.pending, "not delivered yet"),
        (check.unacknowledged, state.unacknowledged, "delivered and not acknowledged"),
        (check.redelivered, state.redelivered, "delivered more than once and not acknowledged"),
        (check.terminated, state.terminated, "terminated"),
        (check.exhausted, state.exhausted, "with all deliveries used up"),
    ] {
        let Some(wanted) = wanted else { continue };
        let told = counted(seen, "message");
        if wanted != seen {
            return Err(format!("consumer {name} of {stream} has {told} {what}, not {wanted}"));
        }
        lines.push(format!("{name} of {stream}: {told} {what}"));
    }
    if lines.is_empty() {
        lines.push(format!("{name} of {stream} is there"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn held(bodies: &[(&str, Value)]) -> Held {
        let messages = bodies.iter().map(|(subject, body)| Message {
            subject: (*subject).to_owned(),
            headers: Data::from(json!({ "Id": body["id"] })),
            body: Data::from(body.clone()),
        });
        Held { count: bodies.len() as u64, subjects: 1, messages: messages.collect() }
    }

    #[test]
    fn a_stream_is_counted_by_subject_and_its_values_are_unique() {
        let check = StreamCheck {
            name: "S".to_owned(),
            by_subject: vec![("a.*".to_owned(), 2), ("b".to_owned(), 0)],
            unique: Some("/id".to_owned()),
            headers: Some(json!({ "Id": "#number" })),
            last: Some(json!({ "id": 2 })),
            ..StreamCheck::default()
        };
        assert_eq!(
            stream(&check, &held(&[("a.x", json!({"id": 1})), ("a.y", json!({"id": 2}))]))
                .unwrap()
                .len(),
            5
        );
        for (bodies, why) in [
            (vec![("a.x", json!({"id": 1}))], "S holds 1 message on a.*, not 2; it has 1 on a.x"),
            (
                vec![("a.x", json!({"id": 2})), ("a.y", json!({"id": 2}))],
                "S holds two messages with /id 2, on a.x and on a.y",
            ),
            (vec![("a.x", json!({"id": 2})), ("a.y", json!({}))], "S, on a.y: there is no /id"),
            (vec![("a.x", json!({"id": "2"})), ("a.y", json!({"id": 2}))], "S, on a.x: "),
            (vec![("a.x", json!({"id": 2})), ("a.y", json!({"id": 3}))], "S, on a.y: "),
        ] {
            let said = stream(&check, &held(&bodies)).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
        // Of nothing, nothing holds.
        let of = || StreamCheck { name: "S".to_owned(), ..StreamCheck::default() };
        for check in [
            StreamCheck { last: check.last, ..of() },
            StreamCheck { headers: check.headers, ..of() },
            StreamCheck { each: Some(json!({ "id": "#number" })), ..of() },
            StreamCheck { unique: check.unique, ..of() },
        ] {
            let said = stream(&check, &held(&[])).unwrap_err();
            assert!(said.starts_with("S holds no message"), "{said}");
        }
        let each = StreamCheck { each: Some(json!({ "id": 1 })), ..of() };
        assert!(stream(&each, &held(&[("a", json!({"id": 1}))])).is_ok());
        assert!(stream(&each, &held(&[("a", json!({"id": 2}))])).is_err());
    }

    #[test]
    fn how_much_a_stream_holds_is_counted() {
        let held = held(&[("a.x", json!({"id": 1})), ("a.y", json!({"id": 2}))]);
        let of = |messages, subjects| StreamCheck {
            name: "S".to_owned(),
            messages,
            subjects,
            ..StreamCheck::default()
        };
        assert_eq!(stream(&of(None, None), &held), Ok(vec!["S is there".to_owned()]));
        assert!(stream(&of(Some(2), Some(1)), &held).is_ok());
        for (check, why) in [
            (of(Some(1), None), "S holds 2 messages, not 1"),
            (of(None, Some(2)), "S holds 1 subject, not 2"),
        ] {
            assert_eq!(stream(&check, &held).unwrap_err(), why);
        }
    }

    #[test]
    fn a_bucket_has_keys_and_of_one_a_value_a_revision_and_a_history() {
        let of = |key: Option<&str>| KvCheck {
            bucket: "B".to_owned(),
            key: key.map(str::to_owned),
            ..KvCheck::default()
        };
        let entry = Entry {
            value: Some(Data::from(json!(2))),
            revision: 7,
            values: vec![Data::from(json!(1)), Data::from(json!(2))],
        };
        let none = Entry::default();
        let [two, absent] = ["2", "#absent"];
        let is = |value: &str| Some(if value == two { json!(2) } else { json!(value) });
        let ada = || of(Some("ada"));
        for (check, entry, why) in [
            (KvCheck { keys: Some(3), ..of(None) }, &entry, None),
            (KvCheck { keys: Some(2), ..of(None) }, &entry, Some("B has 3 keys, not 2")),
            (ada(), &entry, None),
            (ada(), &none, Some("B has no ada")),
            (KvCheck { value: is(two), ..ada() }, &entry, None),
            (KvCheck { value: is("3"), ..ada() }, &entry, Some("ada of B: value: ")),
            (KvCheck { value: is(two), ..ada() }, &none, Some("B has no ada")),
            (KvCheck { value: is(absent), ..ada() }, &none, None),
            (KvCheck { value: is(absent), ..ada() }, &entry, Some("ada of B is 2, and should")),
            (KvCheck { revision: Some(json!(7)), ..ada() }, &entry, None),
            (KvCheck { revision: Some(json!(8)), ..ada() }, &entry, Some("ada of B: revision: ")),
            (KvCheck { values: Some(json!([1, 2])), ..ada() }, &entry, None),
            (KvCheck { values: Some(json!([2])), ..ada() }, &entry, Some("ada of B: values")),
        ] {
            let said = bucket(&check, 3, entry);
            match why {
                None => assert!(said.is_ok(), "{check:?}: {said:?}"),
                Some(why) => assert!(said.clone().unwrap_err().starts_with(why), "{said:?}"),
            }
        }
    }

    #[test]
    fn what_a_consumer_has_left_and_gave_up_is_counted() {
        let of = |set: fn(&mut ConsumerCheck)| {
            let (name, stream) = ("c".to_owned(), "S".to_owned());
            let mut check = ConsumerCheck { name, stream, ..ConsumerCheck::default() };
            set(&mut check);
            check
        };
        let state =
            State { pending: 1, unacknowledged: 2, redelivered: 3, terminated: 4, exhausted: 5 };
        let right = of(|check| {
            check.pending = Some(1);
            check.unacknowledged = Some(2);
            check.redelivered = Some(3);
            check.terminated = Some(4);
            check.exhausted = Some(5);
        });
        assert_eq!(consumer(&right, state).map(|lines| lines.len()), Ok(5));
        assert_eq!(consumer(&of(|_| {}), state), Ok(vec!["c of S is there".to_owned()]));
        for (check, why) in [
            (of(|check| check.pending = Some(0)), "has 1 message not delivered yet, not 0"),
            (of(|check| check.unacknowledged = Some(0)), "has 2 messages delivered and not"),
            (of(|check| check.redelivered = Some(0)), "has 3 messages delivered more than once"),
            (of(|check| check.terminated = Some(0)), "has 4 messages terminated, not 0"),
            (of(|check| check.exhausted = Some(0)), "has 5 messages with all deliveries used up"),
        ] {
            let said = consumer(&check, state).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_log_is_counted() {
        let lines = || ["shipped 1", "shipped 2", "refused"].into_iter();
        let check = |matches: &str, count| LogCheck {
            service: "w".to_owned(),
            matches: matches.to_owned(),
            count,
        };
        assert!(log(&check("^shipped", None), lines()).is_ok());
        assert!(log(&check("^shipped", Some(2)), lines()).is_ok());
        assert!(log(&check("panic", Some(0)), lines()).is_ok());
        for (check, why) in [
            (check("panic", None), "w printed no line that matches /panic/"),
            (
                check("ship", Some(0)),
                "w printed 2 lines that match /ship/, not 0, the last `shipped 2`",
            ),
        ] {
            assert_eq!(log(&check, lines()).unwrap_err(), why);
        }
    }
}
