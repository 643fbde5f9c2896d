//! `[[check]]`: what must hold when all steps are done.

use std::time::Duration;

use serde_json::Value;
use toml::de::DeTable;

use super::ast::check::{Check, CheckKind};
use super::context::Context;
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::keys;
use crate::e2e::text::error::Problem;
use crate::e2e::text::schema::Schema;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;
use crate::e2e::text::template::Variables;

const WORDS: [&str; 11] = [
    "charged_once",
    "never_charged",
    "crashed",
    "dead_letters",
    "emails",
    "final_within",
    "history",
    "ledger",
    "recovered_within",
    "schema",
    "stream",
];
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// What goes with a word.
fn beside(word: &str) -> &'static [&'static str] {
    match word {
        "charged_once" => &["amount", "repeat", "within"],
        "never_charged" => &["repeat", "within"],
        "ledger" => &["entry", "within"],
        "schema" => &["subject", "replies", "within"],
        "stream" => &["messages", "subjects", "each", "within"],
        _ => &["within"],
    }
}

/// Each word with all that goes with it.
pub(in crate::e2e) fn words() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    WORDS.into_iter().map(|word| (word, beside(word).to_vec()))
}

/// The steps of a payment after which a process can be made to abort.
pub(in crate::e2e) fn crash_points() -> Vec<&'static str> {
    vec!["A", "B", "C", "D", "E", "F", "G"]
}

/// All checks of a fixture.
pub(in crate::e2e) fn read(
    top: &Fields<'_, '_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Check> {
    top.tables("check", findings)
        .into_iter()
        .filter_map(|(table, span)| check(table, span, context, findings))
        .collect()
}

fn check(
    table: &DeTable<'_>,
    span: Span,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Check> {
    let known = keys::words(keys::CHECK);
    let before = findings.problems.len();
    let fields = Fields::new(table, span, "key of a check", &known, findings);
    let found: Vec<&str> = WORDS.into_iter().filter(|word| fields.get(word).is_some()).collect();
    let word = match found.as_slice() {
        [word] => word,
        [] => {
            if findings.problems.len() == before {
                findings.add_with_help(
                    fields.span.clone(),
                    "this check does not say what must hold",
                    format!("checks are {}", WORDS.join(", ")),
                );
            }
            return None;
        }
        [first, second, ..] => {
            findings.add_with_help(
                fields.key_span(second),
                format!("a check is about one thing; this one has `{first}` and `{second}`"),
                "make two checks of it",
            );
            return None;
        }
    };
    let extra = beside(word);
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
        "charged_once" => Some(CheckKind::ChargedOnce {
            ids: ids(word, fields, findings)?,
            amount: fields.text("amount", findings),
        }),
        "never_charged" => Some(CheckKind::NeverCharged { ids: ids(word, fields, findings)? }),
        "dead_letters" => match fields.pattern(word, findings)? {
            Value::Array(expected) => {
                let known = keys::words(keys::LETTER);
                for (table, span) in fields.tables(word, findings) {
                    Fields::new(table, span, "key of a dead letter", &known, findings);
                }
                Some(CheckKind::DeadLetters { expected })
            }
            _ => {
                findings.add(fields.span_of(word), "`dead_letters` must be an array of tables");
                None
            }
        },
        "emails" => {
            let (table, span) = fields.table(word, findings)?;
            let known = keys::words(keys::EMAILS);
            let inner = Fields::new(table, span, "key of `emails`", &known, findings);
            Some(CheckKind::Emails {
                count: inner.count("count", 0, findings).map(u64::from),
                workers: inner.count("workers", 0, findings).map(u64::from),
                each_once: inner.truth("each_once", findings).unwrap_or(false),
                refused: inner.count("refused", 0, findings).map(u64::from),
            })
        }
        "crashed" => {
            let (table, span) = fields.table(word, findings)?;
            let known = crash_points();
            let inner = Fields::new(table, span, "step of a payment", &known, findings);
            let counted = known.into_iter().filter_map(|step| {
                Some((step.to_owned(), u64::from(inner.count(step, 0, findings)?)))
            });
            Some(CheckKind::Crashed { expected: counted.collect() })
        }
        "final_within" => Some(CheckKind::FinalWithin { limit: fields.duration(word, findings)? }),
        "history" => Some(CheckKind::History { expected: fields.pattern(word, findings)? }),
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
        "stream" => Some(CheckKind::Stream {
            name: fields.text(word, findings)?,
            messages: fields.count("messages", 0, findings).map(u64::from),
            subjects: fields.count("subjects", 0, findings).map(u64::from),
            each: fields.pattern("each", findings),
        }),
        _ => Some(CheckKind::Ledger {
            id: fields.text(word, findings)?,
            entry: fields
                .pattern("entry", findings)
                .unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        }),
    }
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
