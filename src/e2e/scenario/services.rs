//! `services` of a scenario: which of the suite's it needs, as a list; or a table for each that is
//! different, or its own.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::ast::service::Service;
use super::context::Context;
use super::data::to_toml;
use super::findings::Findings;
use super::item::Item;
use super::reader::Fields;
use super::suite::service;
use crate::e2e::text::error::nearest;
use crate::e2e::text::span::Span;
use crate::wire::subjects::Token;

/// What a scenario says of its services.
#[derive(Default)]
pub(in crate::e2e) struct Services {
    /// A table a module, for services that read them.
    pub(in crate::e2e) settings: toml::Table,
    /// Those that run, where the suite's are commands.
    pub(in crate::e2e) commands: Vec<Service>,
    /// The names of those that it needs; `None` is all.
    pub(in crate::e2e) only: Option<BTreeSet<String>>,
    /// Those that a fault may name.
    pub(in crate::e2e) names: BTreeSet<String>,
}

/// Reads `services`.
pub(in crate::e2e) fn read(
    top: &Fields<'_, '_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Services {
    let mut services = Services {
        commands: context.commands.unwrap_or_default().to_vec(),
        names: context.services.clone(),
        ..Services::default()
    };
    match top.get("services").map(|item| (item, item.get_ref())) {
        None => {}
        Some((_, DeValue::Array(_))) => needed(top, &mut services, findings),
        Some((item, DeValue::Table(table))) => match context.commands {
            Some(_) => commands(table, &mut services, findings),
            None => services.settings = settings(table, item.span(), context, findings),
        },
        Some((item, _)) => {
            findings.wrong_type("services", item, "a list of names, or a table for each");
        }
    }
    services
}

/// `services = ["api"]`: these and no others.
fn needed(top: &Fields<'_, '_>, services: &mut Services, findings: &mut Findings) {
    let only: BTreeSet<String> =
        top.texts("services", findings).unwrap_or_default().into_iter().collect();
    let known: Vec<&str> = services.names.iter().map(String::as_str).collect();
    for name in only.iter().filter(|name| !services.names.contains(*name)) {
        findings.unknown(top.value_span("services"), "service", name, &known);
    }
    services.commands.retain(|command| only.contains(&command.name));
    services.names.retain(|name| only.contains(name));
    services.only = Some(only);
}

/// `[services.NAME]`: what is different of one of the suite's, or all of one of the scenario's own.
fn commands(table: &DeTable<'_>, services: &mut Services, findings: &mut Findings) {
    for (name, item) in table {
        let text: &str = name.get_ref().as_ref();
        let DeValue::Table(inner) = item.get_ref() else {
            findings.add(item.span(), format!("`services.{text}` must be a table"));
            continue;
        };
        let at = services.commands.iter().position(|command| command.name == text);
        let base = at.and_then(|at| services.commands.get(at).cloned());
        let what = "key of a service";
        let fields = Fields::new(inner, name.span(), what, &service::KEYS, findings);
        if base.is_none() && !adds(text, &fields, services, findings) {
            continue;
        }
        // Each run has a port for whoever asks for one.
        findings.any_port = true;
        let read = service::read(text, &fields, base.as_ref(), findings);
        findings.any_port = false;
        let Some(read) = read else { continue };
        match at {
            Some(at) => services.commands[at] = read,
            None => services.commands.push(read),
        }
    }
    services.commands.retain(|command| command.processes > 0);
    services.names = services.commands.iter().map(|command| command.name.clone()).collect();
}

/// Whether a table that is none of the suite's services can be one of the scenario's own.
fn adds(name: &str, fields: &Fields<'_, '_>, services: &Services, findings: &mut Findings) -> bool {
    if fields.get("run").is_none() {
        let known = services.names.iter().map(String::as_str);
        let help = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "one of the scenario's own has a `run`".to_owned(),
        };
        let has: Vec<&str> = known.collect();
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        let message = format!("the suite has no service `{name}`; it has {has}");
        findings.add_with_help(fields.span.clone(), message, help);
        return false;
    }
    if Token::new(name).is_err() {
        let message = format!("`{name}` cannot be a name here");
        let help = "expected lower-case letters, digits and single hyphens";
        findings.add_with_help(fields.span.clone(), message, help);
        return false;
    }
    true
}

/// The tables of modules that read them; each is shown to whoever knows what it may say.
fn settings(
    table: &DeTable<'_>,
    whole: Span,
    context: &Context<'_>,
    findings: &mut Findings,
) -> toml::Table {
    let mut settings = toml::Table::new();
    let problems_before = findings.problems.len();
    for (key, item) in table {
        let DeValue::Table(_) = item.get_ref() else {
            findings.add(item.span(), format!("`services.{}` must be a table", key.get_ref()));
            continue;
        };
        let value = to_toml(item, findings);
        // Asked for each module alone, so that the caret stands at the one that is wrong.
        let alone = toml::Table::from_iter([(key.get_ref().to_string(), value.clone())]);
        if let Err(message) = (context.validate_services)(&alone) {
            findings.add(settings_span(key.span(), item), message);
        }
        settings.insert(key.get_ref().to_string(), value);
    }
    if findings.problems.len() == problems_before
        && let Err(message) = (context.validate_services)(&settings)
    {
        findings.add(whole, message);
    }
    settings
}

/// A `[services.x]` header has the key inside the table's span; an inline table after it.
fn settings_span(key: Span, item: &Item<'_>) -> Span {
    let table = item.span();
    if table.contains(&key.start) { table } else { key.start..table.end.max(key.end) }
}
