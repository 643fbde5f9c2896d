//! What a step expects: parts of its outcome, with patterns.

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::ast::step::Expect;
use super::data::as_text;
use super::findings::Findings;
use super::reader::Fields;
use super::verbs::{ERROR_KINDS, Verb};
use crate::e2e::scenario::{keys, messages, replies};
use crate::e2e::text::span::Span;

pub(in crate::e2e) fn expects(
    verb: &Verb,
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Expect> {
    let exact = match fields.text("match", findings).as_deref() {
        None | Some("subset") => false,
        Some("exact") => true,
        Some(other) => {
            let span = fields.span_of("match");
            findings.unknown(span, "way to match", other, &["subset", "exact"]);
            false
        }
    };
    let mut expects = Vec::new();
    for key in verb.expects {
        let pattern = if *key == "error" {
            error_pattern(fields, findings)
        } else {
            fields.pattern(key, findings)
        };
        expects.extend(pattern.map(|pattern| Expect {
            key,
            span: fields.span_of(key),
            pattern,
            exact: exact && *key != "error" && !key.ends_with("headers"),
        }));
    }
    if let Some(error) = expects.iter().find(|expect| expect.key == "error")
        && expects.len() > 1
    {
        findings.add(
            error.span.clone(),
            "a step succeeds or fails: `error` goes with no other expectation",
        );
    }
    if verb.word == "run" && !expects.iter().any(|expect| expect.key == "exit") {
        expects.push(Expect {
            key: "exit",
            span: fields.span_of("run"),
            pattern: json!(0),
            exact: false,
        });
    }
    if verb.word == "request" {
        expects = replies::expects(exact, expects, fields, findings);
    }
    if verb.word == "expect_messages" {
        expects.extend(messages::expects(exact, fields, findings));
    }
    if verb.word == "expect_message" {
        expects.extend(messages::expects_next(exact, fields, findings));
    }
    expects
}

/// `error = "timeout"` is short for `error = { kind = "timeout" }`.
fn error_pattern(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let item = fields.get("error")?;
    let pattern = match (as_text(item), item.get_ref()) {
        (Some(kind), _) => {
            check_kind(kind, item.span(), findings);
            return Some(json!({ "kind": fields.pattern("error", findings)? }));
        }
        (None, DeValue::Table(table)) => {
            let known = keys::words(keys::ERROR);
            let inner = Fields::new(table, item.span(), "key of `error`", &known, findings);
            if let Some(kind) = inner.text("kind", findings) {
                check_kind(&kind, inner.span_of("kind"), findings);
            }
            fields.pattern("error", findings)?
        }
        (None, _) => {
            findings.wrong_type("error", item, "a kind as \"timeout\" or a table");
            Value::Object(Map::new())
        }
    };
    Some(pattern)
}

fn check_kind(kind: &str, span: Span, findings: &mut Findings) {
    if !ERROR_KINDS.contains(&kind) && !kind.starts_with('#') {
        findings.unknown(span, "kind of error", kind, &ERROR_KINDS);
    }
}
