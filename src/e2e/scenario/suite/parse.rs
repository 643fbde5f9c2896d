//! Reads a suite file.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use crate::e2e::scenario::ast::of_run;
use crate::e2e::scenario::ast::scenario::Defaults;
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::parse::{defaults, redact};
use crate::e2e::scenario::promises;
use crate::e2e::scenario::reader::Fields;
use crate::e2e::scenario::setup;
use crate::e2e::scenario::suite::service::{self, command};
use crate::e2e::scenario::suite::{Client, Command, Suite};
use crate::e2e::text::error::{FixtureError, Problem};
use crate::e2e::text::source::Source;
use crate::e2e::text::span::Span;
use crate::wire::subjects::Token;

/// Reads a suite file; `variables` are the names that `{{name}}` may use.
///
/// # Errors
/// [`FixtureError`] has every problem that was found.
///
/// ```
/// use mono_demo::e2e::{scenario::suite, text::Source};
/// let text = "[services.worker]\nrun = [\"./worker\"]\nready = { lime = \"up\" }\n";
/// let error = suite::parse(Source::new("suite.toml", text), Default::default()).unwrap_err();
/// assert!(error.to_string().contains("did you mean `line`?"));
/// ```
pub fn parse(source: Source, variables: BTreeSet<String>) -> Result<Suite, FixtureError> {
    let text = source.text.clone();
    let document = match DeTable::parse(&text) {
        Ok(document) => document,
        Err(error) => {
            return Err(FixtureError { source, problems: vec![Problem::of_toml(&error)] });
        }
    };
    let mut findings = Findings { variables, ..Findings::default() };
    let known = [
        "scenarios",
        "leaks",
        "hazards",
        "within",
        "broker",
        "proxy",
        "exclusive",
        "streams",
        "kv",
        "objects",
        "setup",
        "redact",
        "promise",
        "prepare",
        "services",
        "clients",
    ];
    let top = Fields::new(document.get_ref(), 0..0, "key", &known, &mut findings);
    let variables = findings.variables.clone();
    findings.variables.extend(of_run::NAMES.map(str::to_owned));
    findings.any_port = true;
    let services = named(
        &top,
        "services",
        |name, fields, findings| service::read(name, fields, None, findings),
        &mut findings,
    );
    (findings.variables, findings.any_port) = (variables, false);
    findings.services = services.iter().map(|service| service.name.clone()).collect();
    let ports = service::ports(&services);
    let setup = setup::of_suite(&source, &ports, &top, &mut findings);
    let defaults = Defaults { ports, setup, ..defaults(&top, &mut findings) };
    let suite = Suite {
        scenarios: scenarios(&top, &mut findings),
        redact: redact(&top, &mut findings),
        prepare: prepare(&top, &mut findings),
        promises: promises::read(&top, false, &defaults.stored, &mut findings),
        defaults,
        services,
        clients: named(&top, "clients", client, &mut findings),
    };
    if findings.problems.is_empty() {
        Ok(suite)
    } else {
        findings.problems.sort_by_key(|problem| problem.span.start);
        Err(FixtureError { source, problems: findings.problems })
    }
}

/// A folder below the suite's, so that a suite can be copied whole.
fn scenarios(top: &Fields<'_, '_>, findings: &mut Findings) -> String {
    let folder = top.text("scenarios", findings).unwrap_or_else(|| "scenarios".to_owned());
    let inside = folder.split('/').all(|part| !matches!(part, "" | ".."));
    if !inside {
        let message = format!("`{folder}` is not a folder below the suite's");
        findings.add(top.span_of("scenarios"), message);
    }
    folder
}

fn prepare(top: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Vec<String>> {
    let Some(item) = top.get("prepare") else { return Vec::new() };
    let DeValue::Array(items) = item.get_ref() else {
        findings
            .add(item.span(), "`prepare` must be an array of commands, each an array of strings");
        return Vec::new();
    };
    let mut commands = Vec::new();
    for item in items {
        let words = match item.get_ref() {
            DeValue::Array(words) => words.iter().map(|word| word.get_ref().as_str()).collect(),
            _ => None,
        };
        match words.filter(|words: &Vec<&str>| !words.is_empty()) {
            Some(words) => {
                words.iter().for_each(|word| findings.check_variables(&item.span(), word));
                commands.push(words.into_iter().map(str::to_owned).collect());
            }
            None => findings.add_with_help(
                item.span(),
                "a command is an array of strings, the program first",
                "as in prepare = [[\"npm\", \"ci\"]]",
            ),
        }
    }
    commands
}

/// The tables of `[services.*]` or `[clients.*]`.
fn named<T>(
    top: &Fields<'_, '_>,
    key: &str,
    read: fn(&str, &Fields<'_, '_>, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Vec<T> {
    let Some((table, _)) = top.table(key, findings) else { return Vec::new() };
    let mut out = Vec::new();
    for (name, item) in table {
        let text = name.get_ref().as_ref();
        if Token::new(text).is_err() {
            findings.add_with_help(
                name.span(),
                format!("`{text}` cannot be a name here"),
                "expected lower-case letters, digits and single hyphens",
            );
            continue;
        }
        match item.get_ref() {
            DeValue::Table(table) => {
                let fields = known_fields(key, table, name.span(), findings);
                out.extend(read(text, &fields, findings));
            }
            _ => findings.add(item.span(), format!("`{text}` must be a table")),
        }
    }
    out
}

fn known_fields<'a, 'i>(
    key: &str,
    table: &'a DeTable<'i>,
    span: Span,
    findings: &mut Findings,
) -> Fields<'a, 'i> {
    let (what, known): (_, &[&str]) = match key {
        "services" => ("key of a service", &service::KEYS),
        _ => ("key of a client", &["driver", "run"]),
    };
    Fields::new(table, span, what, known, findings)
}

fn client(name: &str, fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Client> {
    let driver = command("driver", fields, findings).map(Command::Driver);
    let run = command("run", fields, findings).map(Command::Run);
    let given = [fields.get("driver"), fields.get("run")].into_iter().flatten().count();
    if given != 1 {
        findings.add_with_help(
            fields.span.clone(),
            format!("client `{name}` has either a `driver` or a `run`"),
            "a driver speaks the protocol of docs/protocol.md; a `run` is what `{{client}}` of `run` steps stands for",
        );
        return None;
    }
    Some(Client { name: name.to_owned(), command: driver.or(run)? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::e2e::scenario::ast::service::Ready;

    fn read(text: &str) -> Result<Suite, String> {
        let variables = ["python".to_owned()].into();
        parse(Source::new("suite.toml", text), variables).map_err(|error| error.to_string())
    }

    #[test]
    fn a_suite_file_names_services_and_clients() {
        let suite = read(
            "scenarios = \"cases/all\"\nprepare = [[\"npm\", \"ci\"]]\n\
             [services.worker]\nrun = [\"{{python}}\", \"worker.py\"]\nready = { service = \"worker\" }\n\
             processes = 2\nenv = { LOG = \"debug\" }\nstop_within = \"3s\"\n\
             [services.web]\nrun = [\"node\", \"web.mjs\"]\nready = { line = \"listening\" }\n\
             [clients.python]\ndriver = [\"{{python}}\", \"driver.py\"]\n[clients.shell]\nrun = [\"./shop\"]\n",
        )
        .unwrap();
        assert_eq!(suite.scenarios, "cases/all");
        assert_eq!(suite.prepare, [["npm", "ci"]]);
        let [web, worker] = suite.services.as_slice() else { panic!("{suite:?}") };
        assert_eq!((web.processes, &web.ready), (1, &Ready::Line("listening".to_owned())));
        assert_eq!((worker.processes, worker.stop_within), (2, Duration::from_secs(3)));
        assert_eq!(worker.env["LOG"], "debug");
        assert_eq!(suite.clients[1].command, Command::Run(vec!["./shop".to_owned()]));
        assert_eq!(read("").unwrap().scenarios, "scenarios");
    }

    #[test]
    fn every_mistake_is_shown_with_its_place() {
        let error = read(
            "scenarios = \"../elsewhere\"\nprepare = [\"npm ci\"]\nservice = 1\n\
             [services.Worker]\nrun = [\"x\"]\n\
             [services.a]\nready = { line = \"up\" }\n\
             [services.b]\nrun = []\nready = { line = \"up\", subject = \"x\" }\n\
             [services.c]\nrun = [\"{{pyton}}\"]\nready = \"up\"\nprocesses = 0\n\
             [services.d]\nrun = [\"x\"]\n\
             [clients.e]\n[clients.f]\ndriver = [\"x\"]\nrun = [\"y\"]\n",
        )
        .unwrap_err();
        insta::assert_snapshot!(error);
    }
}
