//! The top of a fixture: description, tags, clients, settings; then its steps and checks.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::ast::of_run;
use super::ast::promise::Promise;
use super::ast::scenario::{BrokerTable, Defaults, Fixture, Leaks, Processes, ProxyTable};
use super::context::Context;
use super::data::to_toml;
use super::expand::gather::gather;
use super::expand::rows::Written;
use super::expand::written::expand;
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::{checks, faults, keys, promises, steps, stored};
use crate::e2e::text::error::{FixtureError, Problem};
use crate::e2e::text::inside::stays_below;
use crate::e2e::text::name::Name;
use crate::e2e::text::redact::Row;
use crate::e2e::text::source::Source;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;
use crate::wire::subjects::Token;

/// How long a scenario may take where neither it nor its suite says.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Reads a fixture: one scenario, or one a row.
///
/// # Errors
/// [`FixtureError`] has every problem that was found.
///
/// ```
/// use mono_demo::e2e::{scenario::{Context, parse}, text::{Name, SchemaError, Source}};
/// let text = "description = \"adds\"\n[[step]]\ncall = \"sums.add\"\nargs = [1, 2]\nrepyl = 3\n";
/// let context = Context {
///     validate_services: &|_| Ok(()),
///     variables: Default::default(),
///     clients: Default::default(),
///     defaults: Default::default(),
///     services: Default::default(),
///     leaders: false,
///     checks: &[],
///     promises: &[],
///     schema: &|word| Err(SchemaError::Path(word.to_owned())),
///     include: &|path| Err(format!("there is no {path}")),
/// };
/// let error = parse(Name::new("sums/add").unwrap(), Source::new("add.toml", text), &context).unwrap_err();
/// assert!(error.to_string().contains("did you mean `reply`?"));
/// ```
pub fn parse(
    name: Name,
    mut source: Source,
    context: &Context<'_>,
) -> Result<Vec<Fixture>, FixtureError> {
    let texts = gather(&name, &mut source, context);
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
                ..scenario(name, &source, &document, context, &mut findings)
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
    document: &DeTable<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Fixture {
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
    let services = services(&top, context, findings);
    let own_ports = of_run::ports(&services.to_string());
    let ports: BTreeSet<String> = own_ports.union(&context.defaults.ports).cloned().collect();
    findings.variables.extend(ports.iter().map(|port| format!("{}{port}", template::PORT)));
    let broker = broker(&top, &context.defaults.broker, findings);
    let promises = promises(&top, context, findings);
    let fixture = Fixture {
        name,
        row: None,
        source: source.clone(),
        description: description.unwrap_or_default(),
        tags: top.texts("tags", findings).unwrap_or_default(),
        clients: clients(&top, context, findings),
        services,
        processes: processes(&top, findings),
        // Two runs cannot have the same port.
        exclusive: broker.port.is_some()
            || top.truth("exclusive", findings).unwrap_or(context.defaults.exclusive),
        ports,
        stored: stored::read(&top, &context.defaults.stored, findings),
        broker,
        proxy: proxy(&top, context.defaults.proxy, findings),
        redact: redact(&top, findings),
        leaks: leaks(&top, findings),
        within: top.duration("within", findings).or(context.defaults.within).unwrap_or(LIMIT),
        steps: steps::read("step", &top, findings),
        teardown: steps::read("teardown", &top, findings),
        checks: checks::read(&top, context, &promises, findings),
        promises,
    };
    let steps = fixture.steps.iter().chain(&fixture.teardown);
    let fixture = Fixture { proxy: faults::proxied(steps, fixture.proxy), ..fixture };
    for step in fixture.steps.iter().chain(&fixture.teardown) {
        faults::fit(step, &fixture.broker, fixture.proxy, findings);
    }
    if fixture.steps.is_empty() && findings.problems.is_empty() {
        findings.add(0..0, "a scenario has at least one `[[step]]`");
    }
    fixture
}

/// Those of the suite that it does not make itself, in other words, and its own.
fn promises(top: &Fields<'_, '_>, context: &Context<'_>, findings: &mut Findings) -> Vec<Promise> {
    let own = promises::read(top, true, findings);
    let others = context.promises.iter().filter(|one| own.iter().all(|own| own.name != one.name));
    others.cloned().chain(own.clone()).collect()
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
    let mut processes = Processes { services: 1, restart: false };
    if let Some((table, span)) = top.table("processes", findings) {
        let known = keys::words(keys::PROCESSES);
        let fields = Fields::new(table, span, "key of `[processes]`", &known, findings);
        processes.services = fields.count("services", 1, findings).unwrap_or(1);
        processes.restart = fields.truth("restart", findings).unwrap_or(false);
    }
    processes
}

fn broker(top: &Fields<'_, '_>, usual: &BrokerTable, findings: &mut Findings) -> BrokerTable {
    let Some((table, span)) = top.table("broker", findings) else {
        return usual.clone();
    };
    let known = keys::words(keys::BROKER);
    let fields = Fields::new(table, span, "key of `[broker]`", &known, findings);
    let auth = fields.truth("auth", findings);
    let port = fields.port("port", findings);
    let config = config(&fields, findings);
    let mut number = |key, least| fields.count(key, least, findings).map(|count| count as usize);
    BrokerTable {
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
    Defaults {
        leaks: leaks(top, findings).map(|(leaks, _)| leaks),
        within: top.duration("within", findings),
        broker: broker(top, &usual.broker, findings),
        proxy: proxy(top, usual.proxy, findings),
        exclusive: top.truth("exclusive", findings).unwrap_or(usual.exclusive),
        ports: usual.ports,
        stored: stored::read(top, &[], findings),
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

fn services(top: &Fields<'_, '_>, context: &Context<'_>, findings: &mut Findings) -> toml::Table {
    let mut settings = toml::Table::new();
    let Some((table, whole)) = top.table("services", findings) else {
        return settings;
    };
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
            findings.add(settings_span(key.span(), item.span()), message);
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
fn settings_span(key: Span, table: Span) -> Span {
    if table.contains(&key.start) { table } else { key.start..table.end.max(key.end) }
}
