//! `[[step]]`: finds the verb, reads what goes with it, and refuses what does not.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::ast::of_run;
use super::ast::step::{Action, InGolden, Program, Save, Step};
use super::data::as_text;
use super::expects::expects;
use super::findings::Findings;
use super::reader::Fields;
use super::verbs::{VERBS, Verb, verb_words};
use crate::e2e::scenario::{
    beside, environment, faults, held, keys, messages, outgoing, pointer, replies, subjects,
};
use crate::e2e::text::span::Span;
use crate::e2e::text::template;

/// All steps of a fixture, or of its teardown. Includes are written out already.
pub(in crate::e2e) fn read(key: &str, top: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Step> {
    top.tables(key, findings)
        .into_iter()
        .filter_map(|(table, span)| step(table, span, findings))
        .collect()
}

fn step(table: &DeTable<'_>, span: Span, findings: &mut Findings) -> Option<Step> {
    let mut known: Vec<&str> = Vec::new();
    for verb in &VERBS {
        for key in [&[verb.word], verb.inputs, verb.expects, verb.common].concat() {
            if !known.contains(&key) {
                known.push(key);
            }
        }
    }
    let before = findings.problems.len();
    known.extend(keys::words(keys::INCLUDE));
    let fields = Fields { table, span };
    let verb = VERBS.iter().find(|verb| fields.get(verb.word).is_some());
    let takes = match verb {
        Some(verb) => format!("`{}` takes {}", verb.word, verb.keys()),
        None => format!("verbs are {}", verb_words().join(", ")),
    };
    for (word, span) in fields.keys().filter(|(word, _)| !known.contains(word)) {
        findings.unknown_of(span, "key of a step", word, &known, &takes);
    }
    let found: Vec<&Verb> = VERBS.iter().filter(|verb| fields.get(verb.word).is_some()).collect();
    let verb = match found.as_slice() {
        [verb] => *verb,
        [] => {
            if findings.problems.len() == before {
                findings.add_with_help(fields.span.clone(), "this step has no verb", takes);
            }
            return None;
        }
        [first, second, ..] => {
            findings.add_with_help(
                fields.key_span(second.word),
                format!("a step has one verb; this one has `{}` and `{}`", first.word, second.word),
                "make two steps of it",
            );
            return None;
        }
    };
    for (key, span) in fields.keys() {
        if known.contains(&key) && !verb.takes(key) {
            findings.add_with_help(
                span,
                format!("`{key}` does not go with `{}`", verb.word),
                takes.clone(),
            );
        }
    }
    let repeat = fields.count("repeat", 1, findings);
    let had_n = !findings.variables.insert("n".to_owned());
    if repeat.is_none() && !had_n {
        findings.variables.remove("n");
    }
    let copied = fields.get("copies").is_some() && findings.variables.insert("k".to_owned());
    let action = action(verb, &fields, findings);
    if copied {
        findings.variables.remove("k");
    }
    let load = faults::load(&fields, findings);
    if load.is_some() && fields.get("reply_to").is_some() {
        findings.add(fields.key_span("reply_to"), "`reply_to` does not go with a load");
    }
    let step = action.map(|action| Step {
        span: fields.span_of(verb.word),
        expects: expects(verb, &fields, findings),
        action,
        within: fields.duration("within", findings),
        timeout: fields.duration("timeout", findings),
        repeat,
        concurrency: concurrency(&fields, repeat, findings),
        save: save(&fields, findings),
        replies: replies::read(&fields, findings),
        open: false,
        golden: golden(&fields, findings),
        load,
    });
    if !had_n {
        findings.variables.remove("n");
    }
    if let Some(step) = &step {
        subjects::check(step, &fields, findings);
        findings.variables.extend(step.save.iter().map(|save| save.name.clone()));
    }
    step
}

fn concurrency(fields: &Fields<'_, '_>, repeat: Option<u32>, findings: &mut Findings) -> u32 {
    let concurrency = fields.count("concurrency", 1, findings);
    if concurrency.is_some() && repeat.is_none() {
        let message = "`concurrency` needs a `repeat`";
        findings.add(fields.key_span("concurrency"), message);
    }
    concurrency.unwrap_or(1)
}

fn action(verb: &Verb, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    match verb.word {
        "call" => {
            let args = match fields.json("args", findings) {
                Some(Value::Array(args)) => args,
                None => Vec::new(),
                Some(_) => {
                    if let Some(item) = fields.get("args") {
                        findings.wrong_type("args", item, "an array");
                    }
                    Vec::new()
                }
            };
            let method = fields.text("call", findings)?;
            if method.split('.').filter(|part| !part.is_empty()).count() != 2 {
                findings.add(
                    fields.span_of("call"),
                    format!("`{method}` is not a method: expected a client and a method, as in `orders.get`"),
                );
            }
            Some(Action::Call {
                method,
                args,
                kwargs: fields.object("kwargs", findings).unwrap_or_default(),
            })
        }
        "request" => outgoing::read("request", fields, findings).map(Action::Request),
        "publish" => outgoing::read("publish", fields, findings).map(Action::Publish),
        "submit" => outgoing::read("submit", fields, findings).map(Action::Submit),
        "run" => {
            let words = fields.texts("run", findings)?;
            let (cwd, env) =
                (environment::cwd(fields, findings), environment::env(fields, findings));
            if words.is_empty() {
                findings.add(fields.span_of("run"), "`run` needs a program and its arguments");
                return None;
            }
            Some(Action::Run(Program { words, cwd, env }))
        }
        "kv" => beside::kv(fields, findings),
        "object" => beside::object(fields, findings),
        "http" => beside::http(fields, findings),
        "fault" => faults::step(fields, findings),
        "settle" => {
            if fields.truth("settle", findings) == Some(false) {
                findings.add(fields.span_of("settle"), "`settle` is `true` or is not there");
            }
            Some(Action::Settle)
        }
        "expect_messages" => messages::action(fields, findings),
        "expect_log" => held::log_step(fields, findings).map(Action::ExpectLog),
        _ => messages::next(fields, findings),
    }
}

/// `golden = false` leaves the step out, `golden = ["/took"]` parts of what it came to.
fn golden(fields: &Fields<'_, '_>, findings: &mut Findings) -> InGolden {
    let Some(item) = fields.get("golden") else { return InGolden::Whole };
    match item.get_ref() {
        DeValue::Boolean(true) => InGolden::Whole,
        DeValue::Boolean(false) => InGolden::Nothing,
        DeValue::Array(_) => {
            let pointers = fields.texts("golden", findings).unwrap_or_default();
            for text in &pointers {
                pointer::check(text, item.span(), findings);
            }
            InGolden::Without(pointers)
        }
        _ => {
            findings.wrong_type("golden", item, "false or an array of JSON pointers");
            InGolden::Whole
        }
    }
}

/// `save = "name"` keeps the whole; `save = { name = "/pointer" }` keeps parts.
fn save(fields: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Save> {
    let Some(item) = fields.get("save") else {
        return Vec::new();
    };
    let span = item.span();
    let saves: Vec<Save> = match (as_text(item), item.get_ref()) {
        (Some(name), _) => vec![Save { name: name.to_owned(), pointer: String::new() }],
        (None, DeValue::Table(table)) => table
            .iter()
            .filter_map(|(name, item)| {
                Some(Save { name: name.get_ref().to_string(), pointer: as_text(item)?.to_owned() })
            })
            .collect(),
        _ => Vec::new(),
    };
    if saves.is_empty() {
        let message = "`save` must be a name, or a table of names and JSON pointers as \"/id\"";
        findings.add(span.clone(), message);
    }
    for save in &saves {
        let named = template::names(&format!("{{{{{}}}}}", save.name)).len() == 1;
        if !named || save.name == "n" || save.name.starts_with(template::PORT) {
            findings.add(
                span.clone(),
                format!(
                    "`{}` cannot name a value: expected lower-case letters, digits and `_`",
                    save.name
                ),
            );
        }
        if of_run::NAMES.contains(&save.name.as_str()) {
            let message = format!("`{}` is a value of the run: no step can save it", save.name);
            findings.add(span.clone(), message);
        }
        if !save.pointer.is_empty() {
            pointer::check(&save.pointer, span.clone(), findings);
        }
    }
    saves
}
