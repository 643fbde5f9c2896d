//! `[promise.NAME]`, of a suite or of a fixture.
//!
//! ```toml
//! [promise.order]
//! operation = { submit = "orders.new" }     # or request, publish, call
//! key = "/order_id"                         # also "header:Nats-Msg-Id", "subject:2"
//! effect = [                                # one table, or several
//!     { stream = "RECEIPTS", key = "/order_id" },
//!     { log = "worker", key = 'shipped (\S+)' },
//! ]
//! times = "once"                            # or "at-least-once", "at-most-once"
//! within = "10s"
//! order = "/customer"
//! final = { effect = 0, value = "/status", among = ["shipped", "refused"] }
//! unasked = "fail"                          # or "ignore"
//! ```

use std::time::Duration;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::ast::promise::{Effect, Ending, Operation, Pick, Place, Promise, Times, Unasked, Verb};
use super::ast::stored::Stored;
use super::findings::Findings;
use super::item::Item;
use super::keys;
use super::reader::Fields;
use crate::broker::subject_matches as matches;
use crate::counted::counted;
use crate::e2e::text::span::Span;
use crate::wire::subjects::Token;

/// How long an effect may take where the promise does not say.
const WITHIN: Duration = Duration::from_secs(10);

const KEY: &str =
    "a JSON pointer as \"/order_id\", \"header:Nats-Msg-Id\" or \"subject:2\" (the second token)";

/// Reads all of them; `own` where it is a scenario that makes them.
pub(in crate::e2e) fn read(
    top: &Fields<'_, '_>,
    own: bool,
    stored: &[Stored],
    findings: &mut Findings,
) -> Vec<Promise> {
    let Some((table, _)) = top.table("promise", findings) else { return Vec::new() };
    let mut promises = Vec::new();
    for (name, item) in table {
        let text = name.get_ref().as_ref();
        if Token::new(text).is_err() {
            let message = format!("`{text}` cannot be the name of a promise");
            let help = "expected lower-case letters, digits and single hyphens";
            findings.add_with_help(name.span(), message, help);
        }
        let DeValue::Table(table) = item.get_ref() else {
            findings.add(item.span(), format!("`{text}` must be a table"));
            continue;
        };
        let known = keys::words(keys::PROMISE);
        let fields = Fields::new(table, name.span(), "key of a promise", &known, findings);
        promises.extend(promise(text, own, stored, &fields, findings));
    }
    promises
}

fn promise(
    name: &str,
    own: bool,
    stored: &[Stored],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<Promise> {
    for (word, help) in [
        ("operation", "what a client does, as in operation = { submit = \"orders.new\" }"),
        ("key", KEY),
        (
            "effect",
            "where it is seen, as in effect = { stream = \"RECEIPTS\", key = \"/order_id\" }",
        ),
    ] {
        if fields.get(word).is_none() {
            let message = format!("promise `{name}` has no `{word}`");
            findings.add_with_help(fields.span.clone(), message, help);
        }
    }
    let operation = operation(fields, findings);
    let key = picked("key", fields, findings);
    let order = picked("order", fields, findings);
    let effects = effects(operation.as_ref(), stored, fields, findings);
    let ending = ending(fields, listed(fields.get("effect")).len(), findings);
    let times = word("times", fields, Times::ALL, Times::word, findings);
    let unasked = word("unasked", fields, Unasked::ALL, Unasked::word, findings);
    let within = fields.duration("within", findings).unwrap_or(WITHIN);
    let missing = fields.get("effect").is_some() && effects.is_empty();
    if missing && findings.problems.is_empty() {
        findings.add(fields.span_of("effect"), "`effect` has at least one table");
    }
    let name = name.to_owned();
    let (operation, key) = (operation?, key?);
    Some(Promise { name, own, operation, key, effects, times, within, order, ending, unasked })
}

/// One of some words; the first where nothing is said.
fn word<T: Copy + Default, const N: usize>(
    key: &str,
    fields: &Fields<'_, '_>,
    all: [T; N],
    word_of: fn(T) -> &'static str,
    findings: &mut Findings,
) -> T {
    let Some(text) = fields.text(key, findings) else { return T::default() };
    match all.into_iter().find(|one| word_of(*one) == text) {
        Some(one) => one,
        None => {
            let known = all.map(word_of);
            findings.unknown(fields.span_of(key), &format!("value of `{key}`"), &text, &known);
            T::default()
        }
    }
}

fn operation(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Operation> {
    let (table, span) = fields.table("operation", findings)?;
    let known = keys::words(keys::OPERATION);
    let problems = findings.problems.len();
    let one = Fields::new(table, span.clone(), "key of `operation`", &known, findings);
    let given =
        Verb::ALL.map(|verb| Some(Operation { verb, on: one.text(verb.word(), findings)? }));
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(operation), None) if !operation.on.trim().is_empty() => Some(operation),
        _ if findings.problems.len() > problems => None,
        _ => {
            let help = "one of submit, request, publish or call, with the subject or the method";
            findings.add_with_help(span, "`operation` says one thing that a client does", help);
            None
        }
    }
}

fn effects(
    operation: Option<&Operation>,
    stored: &[Stored],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Effect> {
    let Some(item) = fields.get("effect") else { return Vec::new() };
    let mut effects = Vec::new();
    for item in listed(Some(item)) {
        let DeValue::Table(table) = item.get_ref() else {
            findings.wrong_type("effect", item, "a table, or several");
            continue;
        };
        let Some(effect) = effect(table, item.span(), findings) else { continue };
        if let Some(operation) = operation.filter(|one| is_itself(&effect.at, one, stored)) {
            let (at, on) = (&effect.at, &operation.on);
            let message = format!("{at} takes `{on}`: there each operation is its own effect");
            let help = "an effect is something that a service writes, whatever the client does";
            findings.add_with_help(item.span(), message, help);
        }
        effects.push(effect);
    }
    effects
}

/// Whether what a client sends is found at this place, as far as tables say.
fn is_itself(at: &Place, operation: &Operation, stored: &[Stored]) -> bool {
    let takes = |subject: &str| matches(subject, &operation.on);
    let has = |stream: &Stored| {
        let subjects = stream.config.get("subjects").and_then(Value::as_array);
        subjects.into_iter().flatten().filter_map(Value::as_str).any(takes)
    };
    let found = match at {
        Place::Subject(subject) => takes(subject),
        Place::Stream { names, subject } => {
            subject.as_deref().is_none_or(takes)
                && stored.iter().any(|stream| names.contains(&stream.name) && has(stream))
        }
        Place::Kv(bucket) => takes(&format!("$KV.{bucket}.>")),
        Place::Log(_) | Place::File(_) | Place::Command(_) => false,
    };
    found && operation.verb != Verb::Call
}

/// One, or several.
fn listed<'a, 'i>(item: Option<&'a Item<'i>>) -> Vec<&'a Item<'i>> {
    match item.map(|item| (item, item.get_ref())) {
        None => Vec::new(),
        Some((_, DeValue::Array(items))) => items.iter().collect(),
        Some((item, _)) => vec![item],
    }
}

fn effect(table: &DeTable<'_>, span: Span, findings: &mut Findings) -> Option<Effect> {
    let known = keys::words(keys::EFFECT);
    let problems = findings.problems.len();
    let fields = Fields::new(table, span.clone(), "key of `effect`", &known, findings);
    let streams = fields.one_or_texts("stream", findings).filter(|names| !names.is_empty());
    let subject = fields.text("subject", findings);
    let filtered = streams.is_some();
    let mut given = [
        streams.map(|names| Place::Stream { names, subject: subject.clone() }),
        subject.filter(|_| !filtered).map(Place::Subject),
        fields.text("kv", findings).map(Place::Kv),
        fields.text("log", findings).map(Place::Log),
        fields.text("file", findings).map(Place::File),
        fields.texts("command", findings).filter(|words| !words.is_empty()).map(Place::Command),
    ]
    .into_iter()
    .flatten();
    let at = match (given.next(), given.next()) {
        (Some(at), None) => at,
        _ if findings.problems.len() > problems => return None,
        _ => {
            let help = "one of stream, subject, kv, log, file or command";
            findings.add_with_help(span, "an effect is looked for in one place", help);
            return None;
        }
    };
    if let Place::Log(service) = &at
        && !findings.services.is_empty()
        && !findings.services.contains(service)
    {
        let known: Vec<String> = findings.services.iter().cloned().collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        findings.unknown(fields.span_of("log"), "service", service, &known);
    }
    if let Place::File(path) = &at
        && path.split('/').any(|part| matches!(part, "" | ".."))
    {
        let message = format!("`{path}` is not a file below the folder of the run");
        findings.add(fields.span_of("file"), message);
    }
    let key = match (fields.text("key", findings), &at) {
        (Some(text), Place::Log(_)) => captured(&text, fields.span_of("key"), findings),
        (Some(text), _) => pick(&text, fields.span_of("key"), findings),
        (None, Place::Kv(_)) => Some(Pick::Key),
        (None, Place::Log(_)) => {
            let help = "a regular expression whose first group is the key, as 'shipped (\\S+)'";
            findings.add_with_help(span, "an effect in a log has a `key`", help);
            None
        }
        (None, _) => {
            findings.add_with_help(span, "an effect has a `key`", KEY);
            None
        }
    };
    let key = key?;
    if matches!(at, Place::File(_) | Place::Command(_)) && !matches!(key, Pick::Pointer(_)) {
        let message = "a line of JSON has no header and no subject".to_owned();
        let help = "its key is a JSON pointer, as \"/order_id\"";
        findings.add_with_help(fields.span_of("key"), message, help);
    }
    Some(Effect { at, key })
}

fn ending(fields: &Fields<'_, '_>, effects: usize, findings: &mut Findings) -> Option<Ending> {
    let (table, span) = fields.table("final", findings)?;
    let known = keys::words(keys::ENDING);
    let one = Fields::new(table, span.clone(), "key of `final`", &known, findings);
    let effect = one.count("effect", 0, findings).unwrap_or(0) as usize;
    let among = one.texts("among", findings).unwrap_or_default();
    if effect >= effects && effects > 0 {
        let many = counted(effects, "effect");
        let message = format!("there is no effect {effect}: the promise has {many}, from 0 on");
        findings.add(one.span_of("effect"), message);
    }
    if one.get("value").is_none() || among.is_empty() {
        let help = "as in final = { effect = 0, value = \"/status\", among = [\"shipped\"] }";
        findings.add_with_help(span, "`final` has a `value` and the values it is `among`", help);
        return None;
    }
    Some(Ending { effect, value: picked("value", &one, findings)?, among })
}

fn picked(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Pick> {
    pick(&fields.text(key, findings)?, fields.span_of(key), findings)
}

fn pick(text: &str, span: Span, findings: &mut Findings) -> Option<Pick> {
    let token = |text: &str| text.parse().ok().filter(|n| *n > 0).map(Pick::Token);
    let found = match text.split_once(':') {
        Some(("header", name)) if !name.is_empty() => Some(Pick::Header(name.to_owned())),
        Some(("subject", n)) => token(n),
        _ if text.starts_with('/') => Some(Pick::Pointer(text.to_owned())),
        _ => None,
    };
    if found.is_none() {
        findings.add_with_help(span, format!("`{text}` is no place in a message"), KEY);
    }
    found
}

fn captured(text: &str, span: Span, findings: &mut Findings) -> Option<Pick> {
    match regex_lite::Regex::new(text) {
        Ok(regex) if regex.captures_len() > 1 => Some(Pick::Captured(text.to_owned())),
        Ok(_) => {
            let message = format!("`{text}` has no group that is the key, as in 'shipped (\\S+)'");
            findings.add(span, message);
            None
        }
        Err(error) => {
            findings.add(span, format!("`{text}` is no regular expression: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
