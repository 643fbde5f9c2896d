//! `expect_message`: the next message, or none; `expect_messages`: so many and no more, in any order.

use serde_json::{Map, Value, json};

use super::ast::step::{Action, Expect};
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::keys;
use crate::e2e::text::template;

/// The subject that a step listens on.
pub(in crate::e2e) fn subject(
    verb: &str,
    inner: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<String> {
    let subject = inner.text("subject", findings);
    if inner.get("subject").is_none() {
        findings.add(inner.span.clone(), format!("`{verb}` needs a `subject`"));
    }
    if subject.as_deref().is_some_and(|text| !template::names(text).is_empty()) {
        findings.add(
            inner.span_of("subject"),
            "the subscription is made before the first step: its subject has no saved values",
        );
    }
    subject
}

/// The table of `expect_message`.
fn next_fields<'a, 'i>(step: &Fields<'a, 'i>, findings: &mut Findings) -> Option<Fields<'a, 'i>> {
    let (table, span) = step.table("expect_message", findings)?;
    let known = keys::words(keys::MESSAGE);
    Some(Fields::new(table, span, "key of `expect_message`", &known, findings))
}

/// What is done to get the next message.
pub(in crate::e2e) fn next(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let inner = next_fields(step, findings)?;
    let subject = subject("expect_message", &inner, findings);
    let none = inner.truth("none", findings).unwrap_or(false);
    if none && (inner.get("body").is_some() || inner.get("headers").is_some()) {
        let message =
            "`none` says that there is no message at all: `body` and `headers` do not go with it";
        findings.add(inner.key_span("none"), message);
    }
    Some(Action::ExpectMessage { subject: subject?, none })
}

/// What is expected of the next message.
pub(in crate::e2e) fn expects_next(
    exact: bool,
    step: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Expect> {
    // Told by `next`.
    let Some(inner) = next_fields(step, &mut Findings::default()) else { return Vec::new() };
    let expect = |key| {
        let pattern = inner.pattern(key, findings)?;
        Some(Expect { key, span: inner.span_of(key), pattern, exact: exact && key == "body" })
    };
    ["body", "headers"].into_iter().filter_map(expect).collect()
}

fn fields<'a, 'i>(step: &Fields<'a, 'i>, findings: &mut Findings) -> Option<Fields<'a, 'i>> {
    let (table, span) = step.table("expect_messages", findings)?;
    let known = keys::words(keys::MESSAGES);
    Some(Fields::new(table, span, "key of `expect_messages`", &known, findings))
}

/// What is done to get so many.
pub(in crate::e2e) fn action(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let inner = fields(step, findings)?;
    let subject = subject("expect_messages", &inner, findings);
    let count = inner.count("count", 1, findings);
    let listed = inner.get("unordered").and_then(|item| item.get_ref().as_array());
    match (inner.get("count").is_some(), inner.get("unordered").is_some()) {
        (true, true) => {
            let message = "`unordered` says how many there are: `count` does not go with it";
            findings.add(inner.key_span("count"), message);
        }
        (false, false) => {
            let help = "`count = 3`, or `unordered = [ … ]` with the body of each";
            findings.add_with_help(inner.span.clone(), "how many messages?", help);
        }
        _ => {}
    }
    if inner.get("unordered").is_some() {
        let none = "`expect_message = { subject = …, none = true }` says that there is none";
        bodies(&inner, none, findings);
        if inner.get("body").is_some() {
            let message = "`unordered` has the bodies: `body` does not go with it";
            findings.add(inner.key_span("body"), message);
        }
    }
    let count = count.or_else(|| u32::try_from(listed?.len()).ok())?;
    Some(Action::ExpectMessages { subject: subject?, count })
}

/// `unordered`: one body or more; `none` says what else says that there is none.
pub(in crate::e2e) fn bodies(inner: &Fields<'_, '_>, none: &str, findings: &mut Findings) {
    let Some(item) = inner.get("unordered") else { return };
    match item.get_ref().as_array() {
        None => {
            let seen = item.get_ref().type_str();
            let message = format!("`unordered` must be an array of bodies, not: {seen}");
            findings.add(inner.span_of("unordered"), message);
        }
        Some(listed) if listed.is_empty() => {
            let message = "`unordered` must be one body or more";
            findings.add_with_help(inner.span_of("unordered"), message, none);
        }
        Some(_) => {}
    }
}

/// What is expected of all of them.
pub(in crate::e2e) fn expects(
    exact: bool,
    step: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Expect> {
    // Told by `action`.
    let Some(inner) = fields(step, &mut Findings::default()) else { return Vec::new() };
    let count = inner
        .count("count", 1, &mut Findings::default())
        .or_else(|| u32::try_from(inner.get("unordered")?.get_ref().as_array()?.len()).ok());
    let all = |pattern: Value| vec![pattern; count.unwrap_or(0) as usize].into();
    let mut expects = Vec::new();
    let mut add = |key, word, pattern: Value, exact| {
        expects.push(Expect { key, span: inner.span_of(word), pattern, exact });
    };
    if let Some(bodies) = inner.pattern("unordered", findings) {
        let pattern = Map::from_iter([("#unordered".to_owned(), bodies)]);
        add("bodies", "unordered", json!(pattern), exact);
    }
    if let Some(body) = inner.pattern("body", findings) {
        add("bodies", "body", all(body), exact);
    }
    if let Some(headers) = inner.pattern("headers", findings) {
        add("headers", "headers", all(headers), false);
    }
    expects
}
