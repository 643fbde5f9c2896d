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

mod effects;
mod picks;

use std::time::Duration;

use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::ast::promise::{Effect, Ending, Operation, Pick, Place, Promise, Times, Unasked, Verb};
use super::ast::stored::Stored;
use super::findings::Findings;
use super::item::Item;
use super::keys;
use super::reader::Fields;
use crate::counted::counted;
use crate::e2e::text::error::Problem;
use crate::e2e::text::span::Span;
use crate::wire::subjects::{Token, check_subscription};
use picks::{HELP, Origin};

/// How long an effect may take where the promise does not say.
const WITHIN: Duration = Duration::from_secs(10);

/// One of them alone, of somebody who has no scenario: its table in JSON.
///
/// # Errors
/// Every problem that was found, and what to do about it where that is known.
pub fn parse(name: &str, table: &Map<String, Value>) -> Result<Promise, Vec<Problem>> {
    let of_words = |message: String| vec![Problem { span: 0..0, message, help: None }];
    let text = toml::to_string(&json!({ "promise": { name: table } }));
    let text = text
        .map_err(|_| of_words("`null` says nothing here: leave out what is not said".to_owned()))?;
    let document = DeTable::parse(&text).map_err(|error| vec![Problem::of_toml(&error)])?;
    let mut findings = Findings::default();
    let top = Fields::new(document.get_ref(), 0..0, "key", &["promise"], &mut findings);
    let promise = read(&top, true, &[], &mut findings).pop();
    match promise {
        Some(promise) if findings.problems.is_empty() => Ok(promise),
        _ => Err(findings.problems),
    }
}

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
            match item.get_ref() {
                DeValue::Boolean(false) if own => {}
                _ if own => findings.add_with_help(
                    item.span(),
                    format!("`{text}` must be a table, or `false`"),
                    "`false` switches a promise of the suite off for this scenario",
                ),
                _ => findings.add(item.span(), format!("`{text}` must be a table")),
            }
            continue;
        };
        let known = keys::words(keys::PROMISE);
        let fields = Fields::new(table, name.span(), "key of a promise", &known, findings);
        promises.extend(promise(text, own, stored, &fields, findings));
    }
    promises
}

/// The promises of the suite that a scenario switches off, by name: `[promise]` with `order = false`.
pub(in crate::e2e) fn switched_off(
    top: &Fields<'_, '_>,
    of_suite: &[Promise],
    findings: &mut Findings,
) -> Vec<String> {
    let tables = top.get("promise").and_then(|item| item.get_ref().as_table());
    let off = |item: &Item<'_>| matches!(item.get_ref(), DeValue::Boolean(false));
    let mut names = Vec::new();
    for (name, _) in tables.into_iter().flat_map(DeTable::iter).filter(|(_, item)| off(item)) {
        let text = name.get_ref().to_string();
        if !of_suite.iter().any(|promise| promise.name == text) {
            let known: Vec<&str> = of_suite.iter().map(|promise| promise.name.as_str()).collect();
            findings.unknown(name.span(), "promise of the suite", &text, &known);
        }
        names.push(text);
    }
    names
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
        ("key", HELP),
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
    told_apart(operation.as_ref(), key.as_ref(), order.as_ref(), fields, findings);
    let effects = effects::read(operation.as_ref(), stored, fields, findings);
    let ending = ending(&effects, fields, findings);
    let effects: Vec<Effect> = effects.into_iter().flatten().collect();
    let times = word("times", fields, Times::ALL, Times::word, findings);
    let unasked = word("unasked", fields, Unasked::ALL, Unasked::word, findings);
    let within = fields.duration("within", findings).unwrap_or(WITHIN);
    if within.is_zero() {
        let help = "how long a service may take for it, as \"10s\"";
        findings.add_with_help(fields.span_of("within"), "nothing is there within no time", help);
    }
    let missing = fields.get("effect").is_some() && effects.is_empty();
    if missing && findings.problems.is_empty() {
        findings.add(fields.span_of("effect"), "`effect` has at least one table");
    }
    let name = name.to_owned();
    let (operation, key) = (operation?, key?);
    let promise =
        Promise { name, own, operation, key, effects, times, within, order, ending, unasked };
    too_short(&promise, stored, fields.span_of("effect"), findings);
    Some(promise)
}

/// Operations have a key, each its own, and may have something that others have too, as their order.
fn told_apart(
    operation: Option<&Operation>,
    key: Option<&Pick>,
    order: Option<&Pick>,
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) {
    let Some(origin) = operation.map(Origin::from) else { return };
    if let Some(key) = key {
        picks::is_there(key, origin, fields.span_of("key"), findings);
        picks::tells_apart(key, origin, fields.span_of("key"), findings);
    }
    let Some(order) = order else { return };
    picks::is_there(order, origin, fields.span_of("order"), findings);
    if key == Some(order) {
        let help = "what several operations have in common, as \"/customer\"";
        let message = "no two operations have the same `order`: it is the `key`";
        findings.add_with_help(fields.span_of("order"), message, help);
    }
}

/// Notes a bucket, or a stream, that is made to keep too little to see what is promised.
fn too_short(promise: &Promise, stored: &[Stored], span: Span, findings: &mut Findings) {
    let counted = promise.effects.iter().enumerate().filter(|(at, _)| promise.counts_all(*at));
    let newest_only =
        |stream: &Stored| stream.config.get("max_msgs_per_subject").is_some_and(|n| *n == 1);
    for (_, effect) in counted {
        if let Place::Stream { names, .. } = &effect.at
            && let Some(stream) =
                stored.iter().find(|stream| names.contains(&stream.name) && newest_only(stream))
        {
            let message = format!(
                "stream {} keeps one message a subject: what was overwritten is not counted",
                stream.name
            );
            let help = "make it with `max_msgs_per_subject` 2 or more, or promise times = \
                        \"at-least-once\" without `final` and `order`";
            findings.add_with_help(span.clone(), message, help);
        }
        let Place::Kv(bucket) = &effect.at else { continue };
        let stream = stored.iter().find(|stream| stream.name == format!("KV_{bucket}"));
        if stream.is_some_and(newest_only) {
            let message =
                format!("bucket {bucket} keeps one value a key: a second one is not seen");
            let help = "make it with `history` 2 or more, or promise times = \"at-least-once\" \
                        without `final` and `order`";
            findings.add_with_help(span.clone(), message, help);
        }
    }
}

/// One of some words; the first where nothing is said.
fn word<T: Copy + Default, const N: usize>(
    key: &str,
    fields: &Fields<'_, '_>,
    all: [T; N],
    word_of: fn(T) -> &'static str,
    findings: &mut Findings,
) -> T {
    let known = all.map(word_of);
    let Some(text) = fields.text(key, findings) else {
        if fields.get(key).is_some()
            && let Some(wrong) = findings.problems.last_mut()
        {
            wrong.help = Some(format!("known here: {}", known.join(", ")));
        }
        return T::default();
    };
    let found = all.into_iter().find(|one| word_of(*one) == text);
    if found.is_none() {
        findings.unknown(fields.span_of(key), &format!("value of `{key}`"), &text, &known);
    }
    found.unwrap_or_default()
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
        (Some(operation), None) if !operation.on.trim().is_empty() => {
            done_on(&operation, one.span_of(operation.verb.word()), findings);
            Some(operation)
        }
        _ if findings.problems.len() > problems => None,
        _ => {
            let help = "one of submit, request, publish or call, with the subject or the method";
            findings.add_with_help(span, "`operation` says one thing that a client does", help);
            None
        }
    }
}

/// Notes what no client can do: no subject, no method.
fn done_on(Operation { verb, on }: &Operation, span: Span, findings: &mut Findings) {
    let is_method = || on.split('.').filter(|part| !part.is_empty()).count() == 2;
    match (verb, check_subscription(on, None)) {
        (Verb::Call, _) if !is_method() => {
            let help = "a client and a method, as `orders.get`";
            findings.add_with_help(span, format!("`{on}` is not a method"), help);
        }
        (Verb::Submit | Verb::Request | Verb::Publish, Err(error)) => {
            findings.add_with_help(span, error.to_string(), effects::SUBJECT);
        }
        _ => {}
    }
}

fn ending(
    effects: &[Option<Effect>],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<Ending> {
    let (table, span) = fields.table("final", findings)?;
    let known = keys::words(keys::ENDING);
    let one = Fields::new(table, span.clone(), "key of `final`", &known, findings);
    let effect = one.count("effect", 0, findings).unwrap_or(0) as usize;
    let among = one.texts("among", findings).unwrap_or_default();
    if effect >= effects.len() && !effects.is_empty() {
        let many = counted(effects.len(), "effect");
        let message = format!("there is no effect {effect}: the promise has {many}, from 0 on");
        findings.add(one.span_of("effect"), message);
    }
    if one.get("value").is_none() || among.is_empty() {
        let help = "as in final = { effect = 0, value = \"/status\", among = [\"shipped\"] }";
        findings.add_with_help(span, "`final` has a `value` and the values it is `among`", help);
        return None;
    }
    let value = picked("value", &one, findings)?;
    if let Some(of) = effects.get(effect).and_then(Option::as_ref) {
        for origin in Origin::of(&of.at) {
            if let Origin::Text = origin {
                let message =
                    format!("a line in the {} has no value: nothing is final there", of.at);
                let help =
                    "let `effect` be the number of one in another place, or leave `final` out";
                findings.add_with_help(span.clone(), message, help);
                break;
            }
            picks::is_there(&value, origin, one.span_of("value"), findings);
        }
    }
    Some(Ending { effect, value, among })
}

fn picked(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Pick> {
    picks::pick(&fields.text(key, findings)?, fields.span_of(key), findings)
}

#[cfg(test)]
mod tests;
