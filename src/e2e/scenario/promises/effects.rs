//! `effect` of a promise: one place, or several.

use toml::de::{DeTable, DeValue};

use super::picks::{HELP, Origin, captured, is_there, pick, tells_apart};
use crate::broker::subject_matches as matches;
use crate::e2e::scenario::ast::promise::{Effect, Operation, Pick, Place, Verb};
use crate::e2e::scenario::ast::stored::Stored;
use crate::e2e::scenario::feeds::{At, Configured, both, feeds};
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::item::Item;
use crate::e2e::scenario::keys;
use crate::e2e::scenario::reader::Fields;
use crate::e2e::text::span::Span;
use crate::wire::subjects::check_subscription;

pub(super) const SUBJECT: &str =
    "words between dots, without blanks; `*` is any word, and `>`, at the end, all that follow";

/// All of them, in order; `None` for what is no effect.
pub(super) fn read(
    operation: Option<&Operation>,
    stored: &[Stored],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Vec<Option<Effect>> {
    let mut effects: Vec<Option<Effect>> = Vec::new();
    for item in listed(fields.get("effect")) {
        let DeValue::Table(table) = item.get_ref() else {
            findings.wrong_type("effect", item, "a table, or several");
            effects.push(None);
            continue;
        };
        let found = effect(table, item.span(), findings);
        let again = found.is_some() && effects.contains(&found);
        let earlier = effects.iter().flatten().map(|effect| &effect.at);
        let shared = found.as_ref().and_then(|found| {
            earlier.filter(|_| !again).find(|other| overlap(&found.at, other)).cloned()
        });
        effects.push(found);
        let Some(Some(Effect { at, .. })) = effects.last() else { continue };
        if let Some(operation) = operation.filter(|one| is_itself(at, one, stored)) {
            let message =
                format!("{at} takes `{}`: there each operation is its own effect", operation.on);
            let help = "an effect is something that a service writes, whatever the client does";
            findings.add_with_help(item.span(), message, help);
        } else if let Some((message, help)) = never_seen(at, stored) {
            findings.add_with_help(item.span(), message, help);
        }
        if let Some(other) = shared {
            let message = format!("{at} has messages of {other}: one would count for both");
            findings.add_with_help(item.span(), message, "give each a `subject` of its own");
        }
        if again {
            let message = format!("{at} is looked at already, for the same key");
            let help = "the same effect a second time promises nothing more";
            findings.add_with_help(item.span(), message, help);
        }
    }
    effects
}

/// Whether one message may be in both places.
fn overlap(one: &Place, other: &Place) -> bool {
    let (Place::Stream { names, subjects }, Place::Stream { names: others, subjects: of_others }) =
        (one, other)
    else {
        return false;
    };
    let meets = |subject: &String| of_others.iter().any(|other| both(subject, other).is_some());
    names.iter().any(|name| others.contains(name))
        && (subjects.is_empty() || of_others.is_empty() || subjects.iter().any(meets))
}

/// One, or several.
fn listed<'a, 'i>(item: Option<&'a Item<'i>>) -> Vec<&'a Item<'i>> {
    match item.map(|item| (item, item.get_ref())) {
        None => Vec::new(),
        Some((_, DeValue::Array(items))) => items.iter().collect(),
        Some((item, _)) => vec![item],
    }
}

/// Whether what a client sends is found at this place, as far as tables say.
fn is_itself(at: &Place, operation: &Operation, stored: &[Stored]) -> bool {
    let fed = feeds(At::of(at), &configured(stored));
    operation.verb != Verb::Call && fed.iter().any(|taken| matches(taken, &operation.on))
}

fn configured(stored: &[Stored]) -> Vec<Configured<'_>> {
    stored.iter().map(|stream| (stream.name.as_str(), &stream.config)).collect()
}

/// Why a place can never show what was promised, as far as tables say: what it is, and what to do.
fn never_seen(at: &Place, stored: &[Stored]) -> Option<(String, &'static str)> {
    let Place::Stream { names, subjects } = at else { return None };
    let streams = || stored.iter().filter(|stream| names.contains(&stream.name));
    let setting = |stream: &Stored, key: &str| stream.config.get(key).cloned();
    for stream in streams() {
        let retention = setting(stream, "retention");
        if retention.as_ref().is_some_and(|retention| retention != "limits") {
            let name = &stream.name;
            let message =
                format!("stream {name} removes what was handled: nothing is counted there");
            return Some((message, "look at its subject, or at what its worker writes"));
        }
    }
    let open = ["mirror", "sources", "subject_transform"];
    let may_have = |stream: &Stored, subject: &str| {
        open.iter().any(|key| setting(stream, key).is_some())
            || !feeds([At::stream(&stream.name, Some(subject))], &configured(stored)).is_empty()
    };
    let known = streams().count() == names.len();
    let none_has = |subject: &&String| !streams().any(|stream| may_have(stream, subject));
    let subject = subjects.iter().find(none_has).filter(|_| known)?;
    let names = names.join(" or ");
    let message = format!("stream {names} takes nothing on `{subject}`");
    Some((message, "`subject` beside `stream` is one of those that it takes"))
}

fn effect(table: &DeTable<'_>, span: Span, findings: &mut Findings) -> Option<Effect> {
    let known = keys::words(keys::EFFECT);
    let problems = findings.problems.len();
    let fields = Fields::new(table, span.clone(), "key of `effect`", &known, findings);
    let streams = fields.one_or_texts("stream", findings).filter(|names| !names.is_empty());
    let subjects = fields.one_or_texts("subject", findings).filter(|all| !all.is_empty());
    let filtered = streams.is_some();
    let mut given = [
        streams
            .map(|names| Place::Stream { names, subjects: subjects.clone().unwrap_or_default() }),
        subjects.filter(|_| !filtered).map(Place::Subjects),
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
    names(&at, &fields, findings);
    let of_key = fields.span_of("key");
    let key = match (fields.text("key", findings), &at) {
        (Some(text), Place::Log(_)) => captured(&text, of_key.clone(), findings),
        (Some(text), _) => pick(&text, of_key.clone(), findings),
        (None, Place::Kv(_)) => Some(Pick::Key),
        (None, Place::Log(_)) => {
            let help = "a regular expression whose first group is the key, as 'shipped (\\S+)'";
            findings.add_with_help(span, "an effect in a log has a `key`", help);
            None
        }
        (None, _) => {
            findings.add_with_help(span, "an effect has a `key`", HELP);
            None
        }
    };
    let key = key?;
    for origin in Origin::of(&at) {
        is_there(&key, origin, of_key.clone(), findings);
        tells_apart(&key, origin, of_key.clone(), findings);
    }
    Some(Effect { at, key })
}

/// Notes a place with a name that nothing can have.
fn names(at: &Place, fields: &Fields<'_, '_>, findings: &mut Findings) {
    match at {
        Place::Stream { names, subjects } => {
            streams(names, fields, findings);
            subjects_of(subjects, fields, findings);
        }
        Place::Subjects(subjects) => subjects_of(subjects, fields, findings),
        Place::Kv(bucket) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if bucket.is_empty() || !bucket.chars().all(plain) {
                let message = format!("`{bucket}` is not the name of a bucket");
                let help = "letters, digits, `_` and `-`";
                findings.add_with_help(fields.span_of("kv"), message, help);
            }
        }
        Place::Log(service) => {
            let known: Vec<String> = findings.services.iter().cloned().collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            if service.is_empty() || !(known.is_empty() || known.contains(&service.as_str())) {
                findings.unknown(fields.span_of("log"), "service", service, &known);
            }
        }
        Place::File(path) => {
            if path.split('/').any(|part| matches!(part, "" | "..")) {
                let message = format!("`{path}` is not a file below the folder of the run");
                findings.add(fields.span_of("file"), message);
            }
        }
        Place::Command(words) => {
            if words.first().is_none_or(|program| program.trim().is_empty()) {
                let help = "as in command = [\"sqlite3\", \"…\"]";
                let span = fields.span_of("command");
                findings.add_with_help(span, "`command` begins with a program", help);
            }
        }
    }
}

/// As nats-server takes them.
fn streams(names: &[String], fields: &Fields<'_, '_>, findings: &mut Findings) {
    let breaks = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
    for (n, name) in names.iter().enumerate() {
        let (message, help) = match () {
            () if name.is_empty() || name.contains(breaks) => (
                format!("`{name}` is not the name of a stream"),
                "a name has no dots, blanks, slashes and wildcards; a subject may stand beside it",
            ),
            () if names[..n].contains(name) => (
                format!("stream {name} is there twice: each effect in it would be two"),
                "`stream` names each once",
            ),
            () => continue,
        };
        findings.add_with_help(fields.span_of("stream"), message, help);
    }
}

/// As nats-server takes them, and none among another: one message would be two effects.
fn subjects_of(subjects: &[String], fields: &Fields<'_, '_>, findings: &mut Findings) {
    for (n, subject) in subjects.iter().enumerate() {
        let span = || fields.span_of("subject");
        if let Err(error) = check_subscription(subject, None) {
            findings.add_with_help(span(), error.to_string(), SUBJECT);
        } else if let Some(other) = subjects[..n].iter().find(|one| both(one, subject).is_some()) {
            let message =
                format!("a message may be on `{other}` and on `{subject}`: it is one effect");
            findings.add_with_help(span(), message, "`subject` names each once");
        }
    }
}
