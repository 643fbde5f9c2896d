//! `[[check]]`: what must hold when all steps are done.

use std::time::Duration;

use serde_json::Value;
use toml::de::DeTable;

use super::ast::check::{Asked, Check, CheckKind};
use super::ast::promise::Promise;
use super::context::Context;
use super::findings::Findings;
use super::form::{Form, Key};
use super::keys::CheckWord;
use super::reader::Fields;
use crate::e2e::scenario::{held, keys};
use crate::e2e::text::error::Problem;
use crate::e2e::text::schema::Schema;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;
use crate::e2e::text::template::Variables;

const WORDS: [&str; 8] =
    ["consumer", "final_within", "history", "kv", "log", "recovered_within", "schema", "stream"];
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// What goes with a word of the engine's own.
fn beside(word: &str) -> &'static [&'static str] {
    match word {
        "schema" => &["subject", "replies", "within"],
        "stream" => {
            &["messages", "subjects", "by_subject", "unique", "each", "headers", "last", "within"]
        }
        "kv" => &["keys", "key", "value", "revision", "values", "within"],
        "log" => &["matches", "count", "none", "within"],
        "consumer" => &[
            "stream",
            "pending",
            "unacknowledged",
            "redelivered",
            "terminated",
            "exhausted",
            "within",
        ],
        _ => &["within"],
    }
}

/// Each word with all that goes with it.
pub(in crate::e2e) fn words(added: &[CheckWord]) -> Vec<(&'static str, Vec<&'static str>)> {
    let own = WORDS.into_iter().map(|word| (word, beside(word).to_vec()));
    let added = added.iter().map(|word| {
        (word.key.word, word.beside.iter().map(|key| key.word).chain(["within"]).collect())
    });
    let mut all: Vec<_> = own.chain(added).collect();
    all.sort_unstable();
    all
}

/// All checks of a fixture.
pub(in crate::e2e) fn read(
    top: &Fields<'_, '_>,
    context: &Context<'_>,
    promises: &[Promise],
    findings: &mut Findings,
) -> Vec<Check> {
    let tables = top.tables("check", findings).into_iter();
    let checks = tables.filter_map(|(table, span)| check(table, span, context, findings));
    let checks: Vec<Check> = checks.collect();
    checks.iter().for_each(|check| promised(check, promises, findings));
    checks
}

/// A check on the figures of a promise is about one that there is.
fn promised(check: &Check, promises: &[Promise], findings: &mut Findings) {
    let CheckKind::History { expected } = &check.kind else { return };
    let named = expected.get("promises").and_then(Value::as_object);
    let known: Vec<&str> = promises.iter().map(|promise| promise.name.as_str()).collect();
    for name in named.into_iter().flat_map(|named| named.keys()) {
        if !known.contains(&name.as_str()) {
            findings.unknown(check.span.clone(), "promise", name, &known);
        }
    }
}

fn check(
    table: &DeTable<'_>,
    span: Span,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Check> {
    let known = keys::words(&keys::of_checks(context.checks));
    let words = words(context.checks);
    let before = findings.problems.len();
    let fields = Fields::new(table, span, "key of a check", &known, findings);
    // Of a consumer it says where it is.
    let beside = |word: &str| word == "stream" && fields.get("consumer").is_some();
    let said = |word: &str| fields.get(word).is_some() && !beside(word);
    let found: Vec<_> = words.iter().filter(|(word, _)| said(word)).collect();
    let (word, extra) = match found.as_slice() {
        [found] => *found,
        [] => {
            if findings.problems.len() == before {
                findings.add_with_help(
                    fields.span.clone(),
                    "this check does not say what must hold",
                    format!(
                        "checks are {}",
                        words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
                    ),
                );
            }
            return None;
        }
        [(first, _), (second, _), ..] => {
            findings.add_with_help(
                fields.key_span(second),
                format!("a check is about one thing; this one has `{first}` and `{second}`"),
                "make two checks of it",
            );
            return None;
        }
    };
    for (key, span) in fields.keys() {
        if known.contains(&key) && key != *word && !extra.contains(&key) {
            let help = format!("`{word}` takes {}", extra.join(", "));
            findings.add_with_help(span, format!("`{key}` does not go with `{word}`"), help);
        }
    }
    Some(Check {
        span: fields.span_of(word),
        kind: kind(word, &fields, context, findings)?,
        within: fields.duration("within", findings).unwrap_or(DEFAULT_WITHIN),
    })
}

fn kind(
    word: &str,
    fields: &Fields<'_, '_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<CheckKind> {
    match word {
        "final_within" => Some(CheckKind::FinalWithin { limit: fields.duration(word, findings)? }),
        "history" => {
            let expected = fields.pattern(word, findings)?;
            asks_something(word, &expected, fields, findings);
            Some(CheckKind::History { expected })
        }
        "recovered_within" => {
            Some(CheckKind::RecoveredWithin { limit: fields.duration(word, findings)? })
        }
        "schema" => {
            let subject = fields.text("subject", findings);
            if fields.get("subject").is_none() {
                let help = "`subject = \"orders.*\"` says which messages it is about";
                findings.add_with_help(fields.span.clone(), "`schema` needs a `subject`", help);
            }
            let messages = schemas("schema", fields, context, findings);
            let replies = schemas("replies", fields, context, findings);
            Some(CheckKind::Schema { subject: subject?, messages, replies })
        }
        "stream" => held::stream(fields, findings).map(CheckKind::Stream),
        "kv" => held::kv(fields, findings).map(CheckKind::Kv),
        "log" => held::log(fields, findings).map(CheckKind::Log),
        "consumer" => held::consumer(fields, findings).map(CheckKind::Consumer),
        _ => {
            let added = context.checks.iter().find(|added| added.key.word == word)?;
            let beside = added
                .beside
                .iter()
                .filter_map(|key| Some((key.word.to_owned(), value(key, fields, findings)?)));
            let beside = beside.collect();
            let (word, value) = (added.key.word, value(&added.key, fields, findings)?);
            if !matches!(added.key.form, Form::Tables(_)) {
                asks_something(word, &value, fields, findings);
            }
            Some(CheckKind::Oracle(Asked { word, value, beside }))
        }
    }
}

/// A check of nothing holds, whatever was done.
fn asks_something(word: &str, asked: &Value, fields: &Fields<'_, '_>, findings: &mut Findings) {
    let nothing = match asked {
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    };
    if nothing && findings.problems.is_empty() {
        let message = format!("`{word}` asks for nothing, and would hold whatever was done");
        findings.add(fields.span_of(word), message);
    }
}

/// A value of a key that somebody added.
fn value(key: &Key, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let word = key.word;
    match key.form {
        Form::Text => fields.text(word, findings).map(Value::from),
        Form::Ids => ids(word, fields, findings).map(Value::from),
        Form::Count(least) => fields.count(word, least, findings).map(Value::from),
        Form::Truth => fields.truth(word, findings).map(Value::from),
        Form::Table(keys) => {
            let (table, span) = fields.table(word, findings)?;
            let inner = table_of(word, keys, table, span, findings);
            let entries = keys
                .iter()
                .filter_map(|key| Some((key.word.to_owned(), value(key, &inner, findings)?)));
            Some(Value::Object(entries.collect()))
        }
        Form::Tables(keys) => match fields.pattern(word, findings)? {
            all @ Value::Array(_) => {
                for (table, span) in fields.tables(word, findings) {
                    table_of(word, keys, table, span, findings);
                }
                Some(all)
            }
            _ => {
                let message = format!("`{word}` must be an array of tables");
                findings.add(fields.span_of(word), message);
                None
            }
        },
        _ => fields.pattern(word, findings),
    }
}

fn table_of<'a, 'i>(
    word: &str,
    keys: &[Key],
    table: &'a DeTable<'i>,
    span: Span,
    findings: &mut Findings,
) -> Fields<'a, 'i> {
    Fields::new(table, span, &format!("key of `{word}`"), &keys::words(keys), findings)
}

/// One schema, or several of which a message must be valid by one.
fn schemas(
    key: &str,
    fields: &Fields<'_, '_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Schema> {
    let words = fields.one_or_texts(key, findings);
    let span = || fields.span_of(key);
    let mut found = Vec::new();
    for word in words.iter().flatten() {
        match (context.schema)(word) {
            _ if !template::names(word).is_empty() => {
                findings.add(
                    span(),
                    "a schema is found before the first step: no saved value names it",
                );
            }
            Ok(schema) => found.push(schema),
            Err(error) => findings.problems.push(Problem {
                span: span(),
                message: error.to_string(),
                help: error.help(),
            }),
        }
    }
    if words.is_some_and(|words| words.is_empty()) {
        findings.add(span(), format!("`{key}` names at least one schema"));
    }
    found
}

/// One id, a list of them, or with `repeat` as many as `{{n}}` makes.
fn ids(word: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Vec<String>> {
    let repeat = fields.count("repeat", 1, findings);
    if repeat.is_some() {
        findings.variables.insert("n".to_owned());
    }
    let ids = fields.one_or_texts(word, findings);
    findings.variables.remove("n");
    let ids = ids?;
    let numbers = 1..=repeat.unwrap_or(1);
    Some(
        numbers
            .flat_map(|n| {
                let n = Variables::from([("n".to_owned(), Value::from(n))]);
                ids.iter().map(move |id| template::fill_text(id, &n)).collect::<Vec<_>>()
            })
            .collect(),
    )
}
