//! Checks of what is held: a stream, a bucket, a consumer, what a service has printed.

use regex_lite::Regex;

use super::ast::held::{ConsumerCheck, KvCheck, LogCheck, StreamCheck};
use super::findings::Findings;
use super::keys;
use super::pointer;
use super::reader::Fields;
use crate::e2e::text::matcher;

pub(in crate::e2e) fn stream(
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<StreamCheck> {
    let mut check = StreamCheck {
        name: fields.text("stream", findings)?,
        messages: number("messages", fields, findings),
        subjects: number("subjects", fields, findings),
        unique: fields.text("unique", findings),
        each: fields.pattern("each", findings),
        headers: fields.pattern("headers", findings),
        last: fields.pattern("last", findings),
        by_subject: Vec::new(),
    };
    if let Some(unique) = &check.unique {
        pointer::check(unique, fields.span_of("unique"), findings);
    }
    if let Some((table, span)) = fields.table("by_subject", findings) {
        let inner = Fields { table, span };
        for (subject, place) in inner.keys() {
            findings.check_variables(&place, subject);
            let many = inner.count(subject, 0, findings);
            check.by_subject.extend(many.map(|many| (subject.to_owned(), u64::from(many))));
        }
    }
    Some(check)
}

pub(in crate::e2e) fn kv(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<KvCheck> {
    let check = KvCheck {
        bucket: fields.text("kv", findings)?,
        keys: number("keys", fields, findings),
        key: fields.text("key", findings),
        value: fields.pattern("value", findings),
        revision: fields.pattern("revision", findings),
        values: fields.pattern("values", findings),
    };
    for of_a_key in ["value", "revision", "values"] {
        if check.key.is_none() && fields.get(of_a_key).is_some() {
            let message = format!("`{of_a_key}` needs a `key`");
            findings.add(fields.key_span(of_a_key), message);
        }
    }
    if check.values.as_ref().is_some_and(|values| !values.is_array() && !values.is_object()) {
        findings
            .add(fields.span_of("values"), "`values` lists all that the key has had, oldest first");
    }
    Some(check)
}

/// What a step waits for that a service prints.
pub(in crate::e2e) fn log_step(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<LogCheck> {
    let (table, span) = step.table("expect_log", findings)?;
    let known = keys::words(keys::LOG_STEP);
    let fields = Fields::new(table, span.clone(), "key of `expect_log`", &known, findings);
    if fields.get("service").is_none() {
        let help = "`service = \"worker\"` says whose line it is";
        findings.add_with_help(span, "`expect_log` needs a `service`", help);
    }
    let service = service("service", &fields, findings);
    let matches = matches("expect_log", &fields, findings);
    let count = fields.count("count", 1, findings).map(u64::from);
    Some(LogCheck { service: service?, matches: matches?, count })
}

/// A service that there is.
fn service(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let service = fields.text(key, findings)?;
    if !findings.services.contains(&service) && !service.contains("{{") {
        let known: Vec<String> = findings.services.iter().cloned().collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        findings.unknown(fields.value_span(key), "service", &service, &known);
    }
    Some(service)
}

/// What is found in a line.
fn matches(of: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let matches = fields.text("matches", findings);
    if fields.get("matches").is_none() {
        let help = "`matches = \"shipped \\\\d+\"` is a regular expression, found in a line";
        findings.add_with_help(fields.span.clone(), format!("`{of}` needs `matches`"), help);
    }
    if let Some(Err(why)) =
        matches.as_ref().map(|regex| matcher::check_text(&format!("#re:{regex}")))
    {
        findings.add(fields.span_of("matches"), why);
    } else if let Some(regex) = matches.as_ref().filter(|regex| finds_nothing(regex)) {
        let message = format!("`{regex}` is found in every line, whatever it says");
        let help = "a word that the line has; `.` is any line that is not empty";
        findings.add_with_help(fields.span_of("matches"), message, help);
    }
    matches
}

/// Whether a regular expression is satisfied with nothing at all.
fn finds_nothing(regex: &str) -> bool {
    // What a variable is filled with is not known yet.
    !regex.contains("{{") && Regex::new(regex).is_ok_and(|regex| regex.is_match(""))
}

pub(in crate::e2e) fn log(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<LogCheck> {
    let service = service("log", fields, findings)?;
    let matches = matches("log", fields, findings);
    let count = number("count", fields, findings);
    let none = fields.truth("none", findings);
    if none == Some(false) {
        findings.add(fields.span_of("none"), "`none` is `true` or is not there");
    }
    if count.is_some() && none.is_some() {
        let message = "`none` says how many there are: `count` does not go with it";
        findings.add(fields.key_span("count"), message);
    }
    let count = count.or_else(|| none.map(|_| 0));
    Some(LogCheck { service, matches: matches?, count })
}

pub(in crate::e2e) fn consumer(
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<ConsumerCheck> {
    if fields.get("stream").is_none() {
        let help = "`stream = \"ORDERS\"` says of which stream it is";
        findings.add_with_help(fields.span.clone(), "`consumer` needs a `stream`", help);
    }
    Some(ConsumerCheck {
        name: fields.text("consumer", findings)?,
        stream: fields.text("stream", findings)?,
        pending: number("pending", fields, findings),
        unacknowledged: number("unacknowledged", fields, findings),
        redelivered: number("redelivered", fields, findings),
        terminated: number("terminated", fields, findings),
        exhausted: number("exhausted", fields, findings),
    })
}

fn number(key: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<u64> {
    fields.count(key, 0, findings).map(u64::from)
}
