//! `kv`, `object`, `http`: one table each, with one word that says what is done.

use serde_json::Value;

use super::ast::beside::{Http, Kv, KvVerb, Object};
use super::ast::step::Action;
use super::findings::Findings;
use super::form::Key;
use super::outgoing;
use super::reader::Fields;
use crate::e2e::scenario::keys;
use crate::e2e::text::template;

/// The table of a verb, and the one word in it that says what is done.
fn table<'a, 'i>(
    verb: &str,
    known: &[Key],
    words: &[&'static str],
    step: &Fields<'a, 'i>,
    findings: &mut Findings,
) -> Option<(&'static str, Fields<'a, 'i>)> {
    let (table, span) = step.table(verb, findings)?;
    let before = findings.problems.len();
    let known = keys::words(known);
    let inner = Fields::new(table, span, &format!("key of `{verb}`"), &known, findings);
    let said: Vec<&str> = words.iter().copied().filter(|word| inner.get(word).is_some()).collect();
    match said.as_slice() {
        [one] => words.iter().find(|word| *word == one).map(|word| (*word, inner)),
        // A slip has been told.
        [] if findings.problems.len() > before => None,
        [] => {
            let message = format!("`{verb}` does not say what is done");
            let help = format!("one of {}", words.join(", "));
            findings.add_with_help(inner.span.clone(), message, help);
            None
        }
        [first, second, ..] => {
            let message = format!("`{verb}` does one thing; this one has `{first}` and `{second}`");
            findings.add(inner.key_span(second), message);
            None
        }
    }
}

/// A text that must be there.
fn needed(
    verb: &str,
    key: &str,
    inner: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<String> {
    if inner.get(key).is_none() {
        findings.add(inner.span.clone(), format!("`{verb}` needs a `{key}`"));
    }
    inner.text(key, findings)
}

/// Refuses what would be sent where nothing is.
fn sends_nothing(what: &str, step: &Fields<'_, '_>, findings: &mut Findings) {
    for key in outgoing::PAYLOADS.iter().filter(|key| step.get(key).is_some()) {
        findings.add(step.key_span(key), format!("`{key}` does not go with {what}"));
    }
}

/// `kv = { bucket = "profiles", get = "ada" }`.
pub(in crate::e2e) fn kv(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let words = KvVerb::ALL.map(|(word, _)| word);
    let (word, inner) = table("kv", keys::KV_STEP, &words, step, findings)?;
    let bucket = needed("kv", "bucket", &inner, findings);
    let key = inner.text(word, findings);
    let (_, does) = KvVerb::ALL.into_iter().find(|(known, _)| *known == word)?;
    let revision = match inner.get("revision") {
        Some(_) if does != KvVerb::Update => {
            let message = format!("`revision` does not go with `{word}`");
            findings.add_with_help(inner.key_span("revision"), message, "`update` takes it");
            None
        }
        Some(item) if item.get_ref().as_str().is_some() => {
            let text = inner.text("revision", findings)?;
            if template::names(&text).is_empty() {
                let message = "`revision` must be a whole number, or `{{name}}` of a saved one";
                findings.add(inner.span_of("revision"), message);
            }
            Some(Value::from(text))
        }
        Some(_) => inner.count("revision", 0, findings).map(Value::from),
        None if does == KvVerb::Update => {
            let help = "`put` writes whatever is there, `create` only what is not";
            let message = "`update` needs the `revision` that it replaces";
            findings.add_with_help(inner.span.clone(), message, help);
            None
        }
        None => None,
    };
    if !does.writes() {
        sends_nothing(&format!("`{word}`"), step, findings);
    }
    if does == KvVerb::Watch {
        let names =
            [&bucket, &key].into_iter().flatten().any(|text| !template::names(text).is_empty());
        if names {
            let message = "it is watched from before the first step: no saved value names it";
            findings.add(inner.span_of(word), message);
        }
    }
    let value = outgoing::payload(step, findings)?;
    Some(Action::Kv(Kv { bucket: bucket?, does, key: key?, value, revision }))
}

/// `object = { store = "files", put = "a.txt" }`.
pub(in crate::e2e) fn object(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let (word, inner) = table("object", keys::OBJECT_STEP, &["get", "put"], step, findings)?;
    let store = needed("object", "store", &inner, findings);
    let name = inner.text(word, findings);
    let put = match word {
        "put" => Some(outgoing::payload(step, findings)?),
        _ => {
            sends_nothing("`get`", step, findings);
            None
        }
    };
    Some(Action::Object(Object { store: store?, name: name?, put }))
}

/// `http = { post = "http://127.0.0.1:{{port:http}}/orders" }`.
pub(in crate::e2e) fn http(step: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let words = Http::METHODS.map(|(word, _)| word);
    let (word, inner) = table("http", keys::HTTP_STEP, &words, step, findings)?;
    let url = inner.text(word, findings)?;
    if !url.starts_with("http://") && !url.starts_with("{{") {
        let help = "as in \"http://127.0.0.1:{{port:http}}/orders\"";
        let message = format!("`{url}` is not a URL that begins with `http://`");
        findings.add_with_help(inner.span_of(word), message, help);
    }
    if ["get", "head"].contains(&word) {
        sends_nothing(&format!("`{word}`"), step, findings);
    }
    let (_, method) = Http::METHODS.into_iter().find(|(known, _)| *known == word)?;
    let body = outgoing::payload(step, findings)?;
    Some(Action::Http(Http { method, url, body, headers: outgoing::headers(step, findings) }))
}
