//! The top of a fixture: description, tags, clients, settings; then its steps and checks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::ast::crash::Explore;
use super::ast::hazard::{HazardKind, Hazards};
use super::ast::of_run;
use super::ast::promise::Promise;
use super::ast::scenario::{BrokerTable, Defaults, Fixture, Leaks, Processes, ProxyTable};
use super::ast::step::Step;
use super::ast::stored::Stored;
use super::context::Context;
use super::elsewhere;
use super::expand::gather::gather;
use super::expand::rows::Written;
use super::expand::written::expand;
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::suite::service;
use crate::e2e::scenario::{checks, deaf, faults, keys, promises, services, setup, steps, stored};
use crate::e2e::text::error::{FixtureError, Problem};
use crate::e2e::text::inside::stays_below;
use crate::e2e::text::name::Name;
use crate::e2e::text::redact::Row;
use crate::e2e::text::source::Source;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;
use crate::wire::subjects::Token;

/// So many points `[explore]` has, unless it says otherwise.
const POINTS: usize = 20;
/// How long a scenario may take where neither it nor its suite says.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Reads a fixture: one scenario, or one a row.
///
/// # Errors
/// [`FixtureError`] has every problem that was found.
///
/// ```
/// use mono_demo::e2e::{scenario::{Context, parse}, text::{Name, Source}};
/// let text = "description = \"adds\"\n[[step]]\ncall = \"sums.add\"\nargs = [1, 2]\nrepyl = 3\n";
/// let error = parse(Name::new("sums/add").unwrap(), Source::new("add.toml", text), &Context::default()).unwrap_err();
/// assert!(error.to_string().contains("did you mean `reply`?"));
/// ```
pub fn parse(
    name: Name,
    mut source: Source,
    context: &Context<'_>,
) -> Result<Vec<Fixture>, FixtureError> {
    let texts = gather(&name, &mut source, context);
    let of_suite = context.defaults.setup.as_ref();
    let first = of_suite.map(|setup| setup.included(&mut source)).unwrap_or_default();
    let text = source.text.clone();
    let document = match DeTable::parse(&text) {
        Ok(document) => document.into_inner(),
        Err(error) => {
            return Err(FixtureError { source, problems: vec![Problem::of_toml(&error)] });
        }
    };
    let mut findings = Findings { variables: context.variables.clone(), ..Findings::default() };
    let documents = expand(document, &texts, &mut findings);
    let mut problems = findings.problems;
    let clean = problems.is_empty();
    let rows = documents.len();
    let mut of_rows: Vec<(Problem, Vec<String>)> = Vec::new();
    let mut fixtures = Vec::new();
    for Written { row, document, names } in documents {
        let mut findings = Findings {
            variables: context.variables.clone(),
            services: context.services.clone(),
            leaders: context.leaders,
            replaced: names.into_iter().collect(),
            ..Findings::default()
        };
        let name = match &row {
            None => Ok(name.clone()),
            Some(row) => Name::new(&format!("{name}/{row}")),
        };
        match name {
            Ok(name) => fixtures.push(Fixture {
                row,
                ..scenario(name, &source, first.clone(), &document, context, &mut findings)
            }),
            Err(error) => findings.add(0..0, error.to_string()),
        }
        // What was not written out would only be said to be missing.
        for problem in findings.problems.into_iter().filter(|p| clean || p.span != (0..0)) {
            let row = fixtures.last().and_then(|f: &Fixture| f.row.clone()).unwrap_or_default();
            match of_rows.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, rows)) => rows.push(row),
                None => of_rows.push((problem, vec![row])),
            }
        }
    }
    for (mut problem, named) in of_rows {
        // What is wrong in every row is told once, and is no row's.
        if named.len() < rows {
            problem.message.push_str(&format!(" (in row `{}`)", named.join("`, `")));
        }
        problems.push(problem);
    }
    if problems.is_empty() {
        return Ok(fixtures);
    }
    problems.sort_by_key(|problem| problem.span.start);
    Err(FixtureError { source, problems })
}

/// Reads one scenario that is written out.
fn scenario(
    name: Name,
    source: &Source,
    first: Vec<Step>,
    document: &DeTable<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Fixture {
    let saved = first.iter().flat_map(|step| &step.save).map(|save| save.name.clone());
    findings.variables.extend(saved);
    let top = Fields::new(document, 0..0, "key of a fixture", &keys::words(keys::TOP), findings);
    let description = top.text("description", findings);
    if description.as_ref().is_none_or(|text| text.trim().is_empty())
        && findings.problems.is_empty()
    {
        findings.add_with_help(
            top.span_of("description"),
            "a scenario has a `description`",
            "one sentence that says what it proves, on the first line",
        );
    }
    let services = services::read(&top, context, findings);
    findings.services.clone_from(&services.names);
    let mut own_ports = of_run::ports(&services.settings.to_string());
    own_ports.extend(service::ports(&services.commands));
    let ports: BTreeSet<String> = own_ports.union(&context.defaults.ports).cloned().collect();
    findings.variables.extend(ports.iter().map(|port| format!("{}{port}", template::PORT)));
    let broker = broker(&top, &context.defaults.broker, findings);
    let stored = stored::read(&top, &context.defaults.stored, findings);
    let promises = promises(&top, context, &stored, findings);
    let switched_off = promises::switched_off(&top, context.promises, findings);
    let promises: Vec<Promise> =
        promises.into_iter().filter(|one| !switched_off.contains(&one.name)).collect();
    let fixture = Fixture {
        name,
        row: None,
        source: source.clone(),
        description: description.unwrap_or_default(),
        tags: top.texts("tags", findings).unwrap_or_default(),
        clients: clients(&top, context, findings),
        services: services.settings,
        commands: services.commands,
        only: services.only,
        processes: processes(&top, findings),
        // Two runs cannot have the same port, and on a broker that is there one would see the other.
        exclusive: broker.port.is_some()
            || broker.url.is_some()
            || top.truth("exclusive", findings).unwrap_or(context.defaults.exclusive),
        ports,
        stored,
        broker,
        proxy: proxy(&top, context.defaults.proxy, findings),
        redact: redact(&top, findings),
        leaks: leaks(&top, findings),
        hazards: hazards(&top, findings),
        within: top.duration("within", findings).or(context.defaults.within).unwrap_or(LIMIT),
        setup: first.into_iter().chain(setup::read(&top, findings)).collect(),
        steps: steps::read("step", &top, findings),
        teardown: steps::read("teardown", &top, findings),
        checks: checks::read(&top, context, &promises, findings),
        switched_off,
        promise_spans: promise_spans(document),
        promises,
        explore: explore(&top, findings),
        crash: None,
        is_always_judged: false,
    };
    elsewhere::check(&fixture, fixture.proxy, &top, findings);
    let proxy = faults::proxied(fixture.all_steps(), fixture.proxy);
    let mut fixture = Fixture { proxy, ..fixture };
    if fixture.broker.url.is_some() {
        fixture.leaks = Some((Leaks::Ignore, 0..0));
        fixture.hazards = Some((Hazards::Ignore, 0..0));
    }
    for step in fixture.all_steps() {
        faults::fit(step, &fixture.broker, fixture.proxy, findings);
    }
    faults::one_at_a_time(&fixture, findings);
    deaf::check(&fixture, findings);
    if fixture.steps.is_empty() && findings.problems.is_empty() {
        findings.add(0..0, "a scenario has at least one `[[step]]`");
    }
    fixture
}

/// Those of the suite that it does not make itself, in other words, and its own.
fn promises(
    top: &Fields<'_, '_>,
    context: &Context<'_>,
    stored: &[Stored],
    findings: &mut Findings,
) -> Vec<Promise> {
    let own = promises::read(top, true, stored, findings);
    let others = context.promises.iter().filter(|one| own.iter().all(|own| own.name != one.name));
    others.cloned().chain(own.clone()).collect()
}

/// Where the scenario's own promises stand, by name.
fn promise_spans(document: &DeTable<'_>) -> BTreeMap<String, Span> {
    let table = document.get("promise").and_then(|item| item.get_ref().as_table());
    let names = table.into_iter().flat_map(|table| table.keys());
    names.map(|name| (name.get_ref().to_string(), name.span())).collect()
}

fn clients(
    top: &Fields<'_, '_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let clients = top.texts("clients", findings)?;
    let span = || top.span_of("clients");
    if clients.is_empty() {
        findings.add(span(), "`clients` names at least one; leave it out for all of them");
    }
    for client in &clients {
        if !context.clients.is_empty() && !context.clients.contains(client) {
            let known: Vec<&str> = context.clients.iter().map(String::as_str).collect();
            findings.unknown(span(), "client", client, &known);
        }
    }
    Some(clients)
}

fn processes(top: &Fields<'_, '_>, findings: &mut Findings) -> Processes {
    let mut processes = Processes { services: 1, restart: false, restarts: None };
    if let Some((table, span)) = top.table("processes", findings) {
        let known = keys::words(keys::PROCESSES);
        let fields = Fields::new(table, span, "key of `[processes]`", &known, findings);
        processes.services = fields.count("services", 1, findings).unwrap_or(1);
        processes.restart = fields.truth("restart", findings).unwrap_or(false);
        processes.restarts = fields.count("restarts", 1, findings);
        if processes.restarts.is_some() && !processes.restart {
            let message = "`restarts` needs `restart = true`";
            findings.add(fields.key_span("restarts"), message);
        }
    }
    processes
}

fn explore(top: &Fields<'_, '_>, findings: &mut Findings) -> Option<Explore> {
    let (table, span) = top.table("explore", findings)?;
    let known = keys::words(keys::EXPLORE);
    let fields = Fields::new(table, span.clone(), "key of `[explore]`", &known, findings);
    let points = fields.count("points", 1, findings).map_or(POINTS, |points| points as usize);
    let Some(service) = fields.text("service", findings) else {
        if fields.get("service").is_none() {
            let help = "`service` is the name of one of the suite's services";
            findings.add_with_help(span, "`[explore]` must say which service is killed", help);
        }
        return None;
    };
    if !findings.services.contains(&service) {
        let services = findings.services.clone();
        let known: Vec<&str> = services.iter().map(String::as_str).collect();
        findings.unknown(fields.value_span("service"), "service", &service, &known);
    }
    Some(Explore { service, points, span: top.span_of("explore") })
}

fn broker(top: &Fields<'_, '_>, usual: &BrokerTable, findings: &mut Findings) -> BrokerTable {
    let Some((table, span)) = top.table("broker", findings) else {
        return usual.clone();
    };
    let known = keys::words(keys::BROKER);
    let fields = Fields::new(table, span, "key of `[broker]`", &known, findings);
    let url = elsewhere::url(&fields, findings);
    let auth = fields.truth("auth", findings);
    let port = fields.port("port", findings);
    let config = config(&fields, findings);
    let mut number = |key, least| fields.count(key, least, findings).map(|count| count as usize);
    if url.is_some() || fields.get("url").is_some() {
        return BrokerTable { url, ..BrokerTable::default() };
    }
    BrokerTable {
        url: usual.url.clone(),
        // The server's own requests must pass as well.
        max_payload: number("max_payload", 4096).or(usual.max_payload),
        // Two cannot lose one.
        cluster: number("cluster", 3).or(usual.cluster),
        open: auth.map_or(usual.open, |auth| !auth),
        port: port.or(usual.port),
        config: config.or_else(|| usual.config.clone()),
    }
}

/// A file of nats-server's own settings; whether it is there is seen when a broker starts.
fn config(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<String> {
    let path = fields.text("config", findings)?;
    if !stays_below(&path) {
        let message = "`config` is a file in the suite's folder or below it";
        findings.add(fields.span_of("config"), message);
    }
    Some(path)
}

/// `[redact]`, of a fixture or of a suite: a pattern for each word that stands in its place.
pub(in crate::e2e) fn redact(top: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Row> {
    let Some((table, span)) = top.table("redact", findings) else { return Vec::new() };
    let fields = Fields { table, span };
    let mut rows = Vec::new();
    for (word, place) in fields.keys() {
        if Token::new(word).is_err() {
            let message = format!(
                "`{word}` cannot stand for what is replaced: expected lower-case letters, digits and single hyphens"
            );
            findings.add(place, message);
            continue;
        }
        let Some(pattern) = fields.text(word, findings) else { continue };
        match Row::new(word, &pattern) {
            Ok(row) => rows.push(row),
            Err(message) => findings.add(fields.span_of(word), message),
        }
    }
    rows
}

/// What a suite says for all its scenarios.
pub(in crate::e2e) fn defaults(top: &Fields<'_, '_>, findings: &mut Findings) -> Defaults {
    let usual = Defaults::default();
    let (leaks, hazards) = (leaks(top, findings), hazards(top, findings));
    let broker = broker(top, &usual.broker, findings);
    if broker.url.is_some() {
        elsewhere::said(leaks.as_ref(), hazards.as_ref(), findings);
    }
    Defaults {
        leaks: leaks.map(|(leaks, _)| leaks),
        hazards: hazards.map(|(hazards, _)| hazards),
        within: top.duration("within", findings),
        broker,
        proxy: proxy(top, usual.proxy, findings),
        exclusive: top.truth("exclusive", findings).unwrap_or(usual.exclusive),
        ports: usual.ports,
        stored: stored::read(top, &[], findings),
        setup: usual.setup,
    }
}

fn leaks(top: &Fields<'_, '_>, findings: &mut Findings) -> Option<(Leaks, Span)> {
    let (word, span) = (top.text("leaks", findings)?, top.span_of("leaks"));
    match word.parse() {
        Ok(leaks) => Some((leaks, span)),
        Err(_) => {
            findings.unknown(span, "way to treat leaks", &word, Leaks::WORDS);
            None
        }
    }
}

/// A word, or the names of those that are accepted: any other fails the run.
fn hazards(top: &Fields<'_, '_>, findings: &mut Findings) -> Option<(Hazards, Span)> {
    let (item, span) = (top.get("hazards")?, top.span_of("hazards"));
    if let DeValue::Array(_) = item.get_ref() {
        let names = top.texts("hazards", findings)?;
        let mut accepted = BTreeSet::new();
        for name in &names {
            match HazardKind::of(name) {
                Some(kind) => drop(accepted.insert(kind)),
                None => {
                    findings.unknown(item.span(), "hazard", name, &HazardKind::NAMES);
                }
            }
        }
        return Some((Hazards::Fail(accepted), span));
    }
    let word = top.text("hazards", findings)?;
    match word.parse() {
        Ok(hazards) => Some((hazards, span)),
        Err(_) => {
            findings.unknown(span, "way to treat hazards", &word, Hazards::WORDS);
            None
        }
    }
}

fn proxy(top: &Fields<'_, '_>, usual: ProxyTable, findings: &mut Findings) -> ProxyTable {
    let mut proxy = usual;
    if let Some((table, span)) = top.table("proxy", findings) {
        let known = keys::words(keys::PROXY);
        let fields = Fields::new(table, span, "key of `[proxy]`", &known, findings);
        proxy.client = fields.truth("client", findings).unwrap_or(usual.client);
        proxy.services = fields.truth("services", findings).unwrap_or(usual.services);
    }
    proxy
}
