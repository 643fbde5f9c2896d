//! `[services.NAME]`: a command with its surroundings, of a suite or of one scenario.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::e2e::scenario::ast::of_run;
use crate::e2e::scenario::ast::service::{Ready, Service};
use crate::e2e::scenario::environment::{cwd, env};
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::reader::Fields;

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// More processes of one service than that are a slip of the finger.
const MOST_PROCESSES: u32 = 100;

/// What a table of a service may have.
pub(in crate::e2e) const KEYS: [&str; 8] =
    ["run", "cwd", "env", "ready", "ready_within", "stop_within", "processes", "may_end"];

/// Reads one service; what it does not say is as in `base`, where there is one.
pub(in crate::e2e) fn read(
    name: &str,
    fields: &Fields<'_, '_>,
    base: Option<&Service>,
    findings: &mut Findings,
) -> Option<Service> {
    let run = command("run", fields, findings);
    let ready = match base {
        Some(base) if fields.get("ready").is_none() => Some(base.ready.clone()),
        _ => ready(fields, findings),
    };
    // A scenario may do without one of its suite's.
    let least = u32::from(base.is_none());
    let processes = fields.count("processes", least, findings);
    if let Some(many) = processes.filter(|many| *many > MOST_PROCESSES) {
        let message = format!("at most {MOST_PROCESSES} processes of a service, not {many}");
        findings.add(fields.span_of("processes"), message);
    }
    if base.is_none() && fields.get("run").is_none() {
        findings.add_with_help(
            fields.span.clone(),
            format!("service `{name}` has no `run`"),
            "the command that starts it, as in run = [\"{{python}}\", \"worker.py\"]",
        );
    }
    let mut all_env = base.map(|base| base.env.clone()).unwrap_or_default();
    all_env.extend(env(fields, findings));
    let within = |key, of: fn(&Service) -> Duration, usual, findings: &mut Findings| {
        fields.duration(key, findings).or(base.map(of)).unwrap_or(usual)
    };
    Some(Service {
        name: name.to_owned(),
        cwd: cwd(fields, findings).or_else(|| base?.cwd.clone()),
        env: all_env,
        ready_within: within("ready_within", |base| base.ready_within, READY_WITHIN, findings),
        stop_within: within("stop_within", |base| base.stop_within, STOP_WITHIN, findings),
        may_end: fields.truth("may_end", findings).or(base.map(|b| b.may_end)).unwrap_or(false),
        processes: processes.or(base.map(|base| base.processes)).unwrap_or(1),
        run: run.or_else(|| Some(base?.run.clone()))?,
        ready: ready?,
    })
}

/// The ports that the services' commands ask for.
pub(in crate::e2e) fn ports(services: &[Service]) -> BTreeSet<String> {
    services.iter().flat_map(Service::texts).flat_map(|text| of_run::ports(text)).collect()
}

pub(in crate::e2e) fn command(
    key: &str,
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let words = fields.texts(key, findings)?;
    if words.is_empty() || words[0].is_empty() {
        findings.add(fields.span_of(key), format!("`{key}` names a program"));
        return None;
    }
    Some(words)
}

fn ready(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Ready> {
    const HELP: &str = "one of ready = { connected = 1 }, { subscribes = \"SUBJECT\" }, { consumer = \"NAME\" }, { http = \"URL\" }, { line = \"TEXT\" }, { subject = \"SUBJECT\" }, { service = \"NAME\" }";
    if fields.get("ready").is_none() {
        let message = "a service says how it is seen to be `ready`";
        findings.add_with_help(fields.span.clone(), message, HELP);
        return None;
    }
    let (table, span) = fields.table("ready", findings)?;
    let known = ["service", "subject", "line", "connected", "subscribes", "consumer", "http"];
    let problems = findings.problems.len();
    let how = Fields::new(table, span.clone(), "key of `ready`", &known, findings);
    let mut given = [
        how.text("service", findings).map(Ready::Service),
        how.text("subject", findings).map(Ready::Subject),
        how.text("line", findings).map(Ready::Line),
        how.count("connected", 1, findings).map(Ready::Connected),
        how.text("subscribes", findings).map(Ready::Subscribes),
        how.text("consumer", findings).map(Ready::Consumer),
        http(&how, findings).map(Ready::Http),
    ]
    .into_iter()
    .flatten();
    match (given.next(), given.next()) {
        (Some(ready), None) if has_text(&ready) => Some(ready),
        _ => {
            if findings.problems.len() == problems {
                findings.add_with_help(span, "`ready` says one thing to wait for", HELP);
            }
            None
        }
    }
}

/// A URL without TLS, which no test of a service needs on its own machine.
fn http(how: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let url = how.text("http", findings)?;
    if !url.starts_with("http://") {
        let help = "as in http = \"http://127.0.0.1:{{port:http}}/health\"";
        let message = format!("`{url}` is not a URL that begins with `http://`");
        findings.add_with_help(how.span_of("http"), message, help);
    }
    Some(url)
}

fn has_text(ready: &Ready) -> bool {
    match ready {
        Ready::Connected(_) => true,
        Ready::Service(text)
        | Ready::Subject(text)
        | Ready::Line(text)
        | Ready::Subscribes(text)
        | Ready::Consumer(text)
        | Ready::Http(text) => !text.trim().is_empty(),
    }
}
