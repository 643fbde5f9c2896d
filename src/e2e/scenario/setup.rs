//! `[[setup]]`: what is done when the broker is up and the services are not.

use std::collections::BTreeSet;

use super::ast::beside::{Kv, KvVerb};
use super::ast::of_run;
use super::ast::scenario::SuiteSetup;
use super::ast::step::{Action, Step};
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::steps;
use crate::e2e::text::source::Source;
use crate::e2e::text::template;

/// Those of a suite, for each of its scenarios.
pub(in crate::e2e) fn of_suite(
    source: &Source,
    ports: &BTreeSet<String>,
    top: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<SuiteSetup> {
    top.get("setup")?;
    let known = findings.variables.clone();
    findings.variables.extend(of_run::NAMES.map(str::to_owned));
    findings.variables.extend(ports.iter().map(|port| format!("{}{port}", template::PORT)));
    let not_here = [
        ("include", "the steps of another file are a scenario's"),
        (
            "body_file",
            "a file lies beside a scenario; a suite has `body`, `text` or `bytes_base64`",
        ),
    ];
    for (table, span) in top.tables("setup", findings) {
        let fields = Fields { table, span };
        for (key, why) in not_here.iter().filter(|(key, _)| fields.get(key).is_some()) {
            let message = format!("`{key}` does not go into `[[setup]]` of a suite");
            findings.add_with_help(fields.key_span(key), message, *why);
        }
    }
    let steps = match findings.problems.is_empty() {
        true => read(top, findings),
        false => Vec::new(),
    };
    findings.variables = known;
    Some(SuiteSetup { source: source.clone(), steps })
}

/// Reads the steps, and refuses those for which nothing runs yet.
pub(in crate::e2e) fn read(top: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Step> {
    let setup = steps::read("setup", top, findings);
    for step in &setup {
        let why = match step.action {
            Action::Call { .. } => "a method of the client asks a service, and none runs yet",
            Action::Fault(_) => "what breaks here would break before anything runs",
            Action::Kv(Kv { does: KvVerb::Watch, .. }) => {
                "it is watched from the first `[[step]]` on"
            }
            Action::Http(_) => "it asks a service, and none runs yet",
            Action::Settle => "nobody takes messages yet that could be waited for",
            Action::ExpectMessage { .. } | Action::ExpectMessages { .. } => {
                "it listens from the first `[[step]]` on"
            }
            Action::ExpectLog(_) => "no service runs yet that could print something",
            _ if step.load.is_some() => "a load is for services that run",
            _ => continue,
        };
        let message = format!("`{}` does not go into `[[setup]]`", step.action.verb());
        findings.add_with_help(step.span.clone(), message, why);
    }
    setup
}
