//! `--record`: runs a scenario twice, and writes the results of its steps into the fixture as their
//! expectations. Existing expectations and comments stay.
//!
//! Values that differ between the two runs, and all ids and times, become matchers, because they
//! would differ the next time.

use std::path::PathBuf;

use serde_json::Value;
use tokio::sync::mpsc;
use toml_edit::{DocumentMut, Item, Table};

use super::discover::read;
use super::runner::clients_of;
use super::settings::{E2eError, Settings};
use crate::e2e::record::run::RunId;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::execute::Execution;
use crate::e2e::run::oracle;
use crate::e2e::run::stage::machine::Client;
use crate::e2e::run::stage::secrets;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Expect, Step};
use crate::e2e::scenario::format;
use crate::e2e::scenario::keys::CheckWord;
use crate::e2e::text::data::Data;
use crate::e2e::text::pattern::{both, pattern, to_toml};
use crate::e2e::text::source::Source;
use crate::e2e::text::template;
use crate::e2e::text::volatile::matcher_of;
use crate::e2e::verdict::outcome::End;
use crate::wire::driver::DriverError;

/// A step with one of these keys has its author's expectation, and is not changed.
const EXPECTED: [&str; 7] = ["reply", "reply_headers", "ack", "error", "exit", "stdout", "stderr"];
/// Of a reply's headers, those that the services set.
const HEADERS: [&str; 2] = ["Mono-", "Nats-Service-Error"];

/// The result of recording one scenario.
#[derive(Debug)]
pub enum Recorded {
    /// The fixture with what was seen, to be written.
    New {
        /// The file.
        path: PathBuf,
        /// As it is.
        old: String,
        /// As it is to be.
        new: String,
    },
    /// Every step has an expectation already, or has nothing to expect.
    Nothing,
    /// It cannot be recorded, and why.
    LeftOut(String),
    /// It failed, and why; nothing is written.
    Failed(String),
}

/// Records one scenario, with the first of its clients that is on this machine.
pub async fn record(settings: &Settings, fixture: &Fixture) -> Result<Recorded, E2eError> {
    if fixture.row.is_some() {
        let reason = "one text is for all rows: what is expected of each, its row says";
        return Ok(Recorded::LeftOut(reason.to_owned()));
    }
    let mut available =
        clients_of(settings, fixture).filter(|c| !matches!(c.client, Client::Unavailable(_)));
    let Some(client) = available.next() else {
        return Ok(Recorded::LeftOut("no client of it is on this machine".to_owned()));
    };
    let old = fixture.source.text.to_string();
    // It has been read as TOML before.
    let Ok(mut document) = old.parse::<DocumentMut>() else { return Ok(Recorded::Nothing) };
    let mut opened = fixture.clone();
    let open = open(&document, &mut opened);
    if open.is_empty() {
        return Ok(Recorded::Nothing);
    }
    let run = RunId { scenario: fixture.name.clone(), client: client.name.clone(), round: None };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (events, _) = mpsc::unbounded_channel();
        let execution = Execution {
            machine: &settings.machine,
            fixture: &opened,
            run: &run,
            client: &client.client,
            events: &events,
            traced: false,
        };
        let outcome = execution.execute().await;
        match outcome.end {
            End::Held => runs.push(outcome.seen),
            End::Failed(failure) => {
                return Ok(Recorded::Failed(failure.excerpt.unwrap_or(failure.message)));
            }
            End::Skipped(reason) => return Ok(Recorded::LeftOut(reason)),
            End::Broken(reason) => return Ok(Recorded::Failed(reason)),
        }
    }
    for (at, table) in &open {
        let seen: Vec<&Seen> = runs.iter().filter_map(|seen| seen.get(*at)).flatten().collect();
        let step = &opened.steps[*at];
        if let Some(table) = step_table(&mut document, *table) {
            expect(step, &seen, table);
        }
    }
    let added = oracle::checks(&settings.machine.oracles);
    let new = in_form(fixture, &document.to_string(), &added);
    if new == in_form(fixture, &old, &added) {
        return Ok(Recorded::Nothing);
    }
    // Never write an expectation that would not hold.
    let source = Source::new(&fixture.source.path, &new);
    let again = read(settings, fixture.name.clone(), source);
    let again = again.map_err(|error| E2eError::Fixtures(vec![error]))?;
    let steps = again.first().map(|fixture| fixture.steps.as_slice()).unwrap_or_default();
    for (at, _) in &open {
        let none = template::Variables::new();
        let expects: Vec<Expect> = steps
            .get(*at)
            .map(|step| step.expects.iter().map(|expect| expect.filled(&none)).collect())
            .unwrap_or_default();
        for seen in runs.iter().filter_map(|seen| seen.get(*at)).flatten() {
            if let Err((_, difference)) = seen.check(&expects) {
                let line = fixture.source.line(&opened.steps[*at].span);
                return Ok(Recorded::Failed(format!(
                    "what was seen in the step of line {line} cannot be written as an expectation: {difference}"
                )));
            }
        }
    }
    let path = settings.machine.shown_from.join(&*fixture.source.path);
    Ok(Recorded::New { path, old, new })
}

/// The text in its one form, if it has one.
fn in_form(fixture: &Fixture, text: &str, added: &[CheckWord]) -> String {
    let source = Source::new(&fixture.source.path, text);
    format::format(&source, added).unwrap_or_else(|_| text.to_owned())
}

/// Opens the steps of the fixture's own text that expect nothing yet; where each is among the
/// steps, and among the text's tables.
fn open(document: &DocumentMut, fixture: &mut Fixture) -> Vec<(usize, usize)> {
    let Some(tables) = document.get("step").and_then(Item::as_array_of_tables) else {
        return Vec::new();
    };
    // A step in the text is one step, unless it is an include.
    let mut own = tables.iter().enumerate().filter(|(_, table)| !table.contains_key("include"));
    let mut open = Vec::new();
    for (at, step) in fixture.steps.iter_mut().enumerate() {
        if !fixture.source.is_own(&step.span) {
            continue;
        }
        let Some((table_at, table)) = own.next() else { break };
        if takes(step) && !expects(table) {
            step.open = true;
            open.push((at, table_at));
        }
    }
    open
}

/// Whether there can be something to expect of it.
fn takes(step: &Step) -> bool {
    let kind = match step.action {
        Action::Call { .. } | Action::Request(_) | Action::Publish(_) | Action::Submit(_) => true,
        Action::Run(_) => true,
        Action::ExpectMessage { none, .. } => !none,
        _ => false,
    };
    kind && step.load.is_none()
}

fn expects(table: &Table) -> bool {
    let inner = table.get("expect_message").and_then(Item::as_inline_table);
    EXPECTED.iter().any(|key| table.contains_key(key))
        || inner.is_some_and(|inner| inner.contains_key("body") || inner.contains_key("headers"))
}

fn step_table(document: &mut DocumentMut, at: usize) -> Option<&mut Table> {
    document.get_mut("step")?.as_array_of_tables_mut()?.get_mut(at)
}

/// Writes into a step what all of its outcomes have in common.
fn expect(step: &Step, seen: &[&Seen], table: &mut Table) {
    let errors: Vec<&DriverError> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Err(error) => Some(error),
            _ => None,
        })
        .collect();
    if !errors.is_empty() {
        if errors.len() == seen.len() {
            put(table, "error", common(errors.iter().map(|error| error_value(error).into())));
        }
        return; // now and then it fails: there is nothing to expect
    }
    let part = |key: &str| {
        let parts: Option<Vec<Data>> = seen
            .iter()
            .map(|seen| match seen {
                Seen::Ok(fields) => fields.get(key).cloned(),
                _ => None,
            })
            .collect();
        parts.filter(|parts| !parts.is_empty()).and_then(common)
    };
    match &step.action {
        Action::Submit(_) => {
            let mut ack = part("ack");
            // The order in which others submit is theirs.
            if let Some(Value::Object(ack)) = &mut ack
                && (step.repeat.is_some() || step.within.is_some() || ack["sequence"] == "#number")
            {
                ack.remove("sequence");
            }
            put(table, "ack", ack);
        }
        Action::Run(_) => {
            put(table, "exit", part("exit").filter(|exit| *exit != 0));
            put(table, "stdout", part("stdout").filter(|out| *out != ""));
            put(table, "stderr", part("stderr"));
        }
        Action::ExpectMessage { .. } => {
            let body = part("body").as_ref().and_then(to_toml);
            let inner = table.get_mut("expect_message").and_then(Item::as_inline_table_mut);
            if let (Some(body), Some(inner)) = (body, inner) {
                inner.insert("body", body);
            }
        }
        _ => {
            put(table, "reply", part("reply").filter(|reply| !reply.is_null()));
            let mut headers = part("reply_headers").unwrap_or_default();
            if let Some(headers) = headers.as_object_mut() {
                headers.retain(|name, _| HEADERS.iter().any(|own| name.starts_with(own)));
            }
            put(
                table,
                "reply_headers",
                Some(headers).filter(|h| h.as_object().is_some_and(|h| !h.is_empty())),
            );
        }
    }
}

fn put(table: &mut Table, key: &str, pattern: Option<Value>) {
    if let Some(value) = pattern.as_ref().and_then(to_toml) {
        table.insert(key, Item::Value(value));
    }
}

/// The service's own words are expected; a library's are not.
fn error_value(error: &DriverError) -> Value {
    let mut fields = serde_json::to_value(error).unwrap_or_default();
    if let Some(fields) = fields.as_object_mut() {
        let own = ["domain", "service_error"].iter().any(|kind| fields["kind"] == *kind);
        fields.retain(|key, value| !value.is_null() && (own || key != "message"));
    }
    fields
}

/// The pattern that all of them match.
fn common(values: impl IntoIterator<Item = Data>) -> Option<Value> {
    let patterns = values.into_iter().map(|value| pattern("", &value, &special));
    patterns.reduce(|a, b| both(&a, &b))
}

/// Ids and times will be others the next time, and what stands for a password would not hold.
fn special(_: &str, value: &Data) -> Option<Value> {
    let text = value.as_str()?;
    let word = matcher_of(text);
    word.or_else(|| text.contains(secrets::INSTEAD).then_some("#string")).map(Value::from)
}

#[cfg(test)]
mod tests;
