//! Faults: a word and what goes with it, as a step or `under` a load.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::ast::scenario::{BrokerTable, Fixture, ProxyTable};
use super::ast::step::{Action, Load, Step};
use super::findings::Findings;
use super::reader::Fields;
use crate::broker::{Direction, Fate, Fault, Matching, Moment, PartOf, Side, Turn, What};
use crate::e2e::scenario::message_faults;
use crate::e2e::text::span::Span;

/// The keys that give a fault its values; which of them go with which word, `takes` says.
pub(in crate::e2e) const KEYS: &[&str] = &[
    "for",
    "on",
    "service",
    "stream",
    "latency",
    "jitter",
    "after_bytes",
    "direction",
    "chunk",
    "every",
    "nodes",
    "client_on",
    "what",
    "subject",
    "header",
    "body",
    "of",
    "nth",
    "times",
    "when",
];
const SIDES: [(&str, Side); 2] =
    [(Side::Client.word(), Side::Client), (Side::Services.word(), Side::Services)];
const MOMENTS: [(&str, Moment); 2] =
    [(Moment::Before.word(), Moment::Before), (Moment::After.word(), Moment::After)];
const DIRECTIONS: [(&str, Direction); 2] = [
    (Direction::ToServer.word(), Direction::ToServer),
    (Direction::ToClient.word(), Direction::ToClient),
];

const PARTS: [(&str, PartOf); 2] =
    [(PartOf::Minority.word(), PartOf::Minority), (PartOf::Majority.word(), PartOf::Majority)];

/// The fault of a step.
pub(in crate::e2e) fn step(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let word = fields.text("fault", findings)?;
    let Some(what) = What::named(&word) else {
        let known: Vec<&str> = What::words().collect();
        let span = fields.get("fault").map_or(0..0, toml::Spanned::span);
        findings.unknown(span, "fault", &word, &known);
        return None;
    };
    Some(Action::Fault(fault(what, fields, &[], findings)))
}

/// Whether submissions are a load, and what breaks under it.
pub(in crate::e2e) fn load(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Load> {
    let again_percent = fields.count("again", 0, findings);
    let under = under(fields, findings);
    let copies = fields.count("copies", 1, findings);
    let client_dies = fields.truth("client_dies", findings);
    let rate = fields.count("rate", 1, findings);
    let said = [again_percent.is_some(), under.is_some(), copies.is_some(), rate.is_some()];
    if !said.contains(&true) && client_dies.is_none() {
        return None;
    }
    Some(Load {
        again_percent: again_percent.unwrap_or(0),
        copies: copies.unwrap_or(1),
        under: under.unwrap_or_default(),
        rate,
        client_dies: client_dies.unwrap_or(false),
    })
}

/// `{ kill-broker = 20, pause-broker = { times = 1, for = "5s" } }`.
fn under(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Vec<(Fault, u32)>> {
    let (table, span) = fields.table("under", findings)?;
    let words: Vec<&str> = What::words().collect();
    let outer = Fields::new(table, span, "fault", &words, findings);
    let mut under = Vec::new();
    for what in words.iter().filter_map(|word| What::named(word)) {
        let word = what.word();
        let Some(item) = outer.get(word) else { continue };
        let (fault, times) = match item.get_ref() {
            DeValue::Table(table) => {
                let inner = Fields::new(table, item.span(), "key of a fault", KEYS, findings);
                let times = inner.count("times", 1, findings).unwrap_or(1);
                (fault(what, &inner, &["times"], findings), times)
            }
            _ => match outer.count(word, 1, findings) {
                // Without a table there are no values.
                Some(times) => {
                    let none = DeTable::new();
                    let inner = Fields { table: &none, span: outer.span_of(word) };
                    (fault(what, &inner, &[], findings), times)
                }
                None => continue,
            },
        };
        let span = outer.span_of(word);
        if what.mends() {
            let message = format!("`{word}` mends what another fault broke");
            findings.add_with_help(span, message, "under a load, a fault that lasts says `for`");
        } else if lasts(fault.what) && fault.lasts.is_none() {
            let message = format!("under a load, `{word}` must say `for` how long");
            let help = format!("as in `{word} = {{ times = 1, for = \"2s\" }}`");
            findings.add_with_help(span, message, help);
        } else if matches!(&fault.messages, Some(Matching { turn: Turn::Every(_), .. })) {
            let message = format!("under a load, the seed says when `{word}` comes: not `every`");
            let help = "`times` says how often; as a step before the load it takes `every`";
            findings.add_with_help(span, message, help);
        }
        under.push((fault, times));
    }
    Some(under)
}

/// One that cuts once is over by itself.
fn lasts(what: What) -> bool {
    what.mended_by().is_some() && !matches!(what, What::CutAfter { .. })
}

/// The keys that go with a fault.
pub(super) fn takes(what: What) -> Vec<&'static str> {
    let mut takes: Vec<&str> = match what {
        What::Delay { .. } => vec!["latency", "jitter", "what"],
        What::Cut | What::CutAfter { .. } => vec!["after_bytes", "direction"],
        What::Chop { .. } => vec!["chunk", "every"],
        What::HalfOpen(_) => vec!["direction"],
        What::KillNode(_) => vec!["nodes"],
        What::IsolateNode(_) => vec!["client_on"],
        What::Message(fate) => message_faults::takes(fate),
        _ => Vec::new(),
    };
    if what.is_of_a_network() {
        takes.push("on");
    }
    if what.is_of_services() || what.is_of_a_network() {
        takes.push("service");
    }
    if what.is_of_a_leader() {
        takes.push("stream");
    }
    if lasts(what) {
        takes.push("for");
    }
    takes
}

/// The values that are given, in place of the usual ones; those that are `read` already go with each.
fn fault(what: What, fields: &Fields<'_, '_>, read: &[&str], findings: &mut Findings) -> Fault {
    let what = message_faults::meant(what, fields);
    let takes = takes(what);
    let left_over = |key: &&&str| !takes.contains(*key) && !read.contains(*key);
    for key in KEYS.iter().filter(|key| fields.get(key).is_some()).filter(left_over) {
        let help = match takes.as_slice() {
            [] => format!("`{}` takes nothing", what.word()),
            takes => format!("`{}` takes {}", what.word(), takes.join(", ")),
        };
        let message = format!("`{key}` does not go with `{}`", what.word());
        findings.add_with_help(fields.key_span(key), message, help);
    }
    let direction = fields.one_of("direction", "direction", &DIRECTIONS, findings);
    let what = match what {
        What::Delay { latency, jitter } => What::Delay {
            latency: fields.duration("latency", findings).unwrap_or(latency),
            jitter: fields.duration("jitter", findings).unwrap_or(jitter),
        },
        What::Cut => match fields.count("after_bytes", 1, findings) {
            Some(bytes) => What::CutAfter {
                bytes: u64::from(bytes),
                direction: direction.unwrap_or(Direction::ToServer),
            },
            None => {
                if direction.is_some() && fields.get("after_bytes").is_none() {
                    let message = "`direction` says which bytes count: it needs `after_bytes`";
                    findings.add(fields.key_span("direction"), message);
                }
                What::Cut
            }
        },
        What::Chop { chunk, pause } => What::Chop {
            chunk: fields.count("chunk", 1, findings).map_or(chunk, |chunk| chunk as usize),
            pause: fields.duration("every", findings).unwrap_or(pause),
        },
        What::HalfOpen(usual) => What::HalfOpen(direction.unwrap_or(usual)),
        What::KillNode(usual) => {
            What::KillNode(fields.count("nodes", 1, findings).map_or(usual, |n| n as usize))
        }
        What::IsolateNode(_) => {
            What::IsolateNode(fields.one_of("client_on", "part of a cluster", &PARTS, findings))
        }
        What::Message(Fate::Delay(time)) => {
            What::Message(Fate::Delay(fields.duration("latency", findings).unwrap_or(time)))
        }
        What::Message(Fate::Disconnect(usual)) => {
            let moment = fields.one_of("when", "moment", &MOMENTS, findings);
            What::Message(Fate::Disconnect(moment.unwrap_or(usual)))
        }
        other => other,
    };
    if what.is_of_messages() {
        return message_faults::read(what, fields, !read.contains(&"times"), findings);
    }
    let lasts = fields.duration("for", findings);
    if lasts == Some(Duration::ZERO) {
        findings.add(fields.span_of("for"), "a fault that lasts no time breaks nothing");
    }
    let on = fields.one_of("on", "side", &SIDES, findings);
    let service = fields.text("service", findings);
    if let Some(name) = service.as_ref().filter(|name| !findings.services.contains(*name)) {
        let known: Vec<String> = findings.services.iter().cloned().collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        findings.unknown(fields.span_of("service"), "service", name, &known);
    }
    // Each service has a network of its own, and the client has another.
    let on = match (on, &service) {
        (None, Some(_)) if what.is_of_a_network() => Some(Side::Services),
        (Some(Side::Client), Some(name)) => {
            let message = format!("`{name}` has no part in the client's network");
            let help =
                "`service` goes with `on = \"services\"`, which it means where `on` is left out";
            findings.add_with_help(fields.span_of("service"), message, help);
            on
        }
        _ => on,
    };
    let stream = fields.text("stream", findings);
    if what.is_of_a_leader() && fields.get("stream").is_none() && !findings.leaders {
        let message = format!("`{}` must say whose leader: the `stream`", what.word());
        findings.add_with_help(fields.span.clone(), message, "as in `stream = \"ORDERS\"`");
    }
    Fault { on, service, stream, lasts, ..Fault::new(what) }
}

/// What breaks in a step, or under it.
fn of(step: &Step) -> impl Iterator<Item = &Fault> {
    let under = step.load.iter().flat_map(|load| load.under.iter().map(|(fault, _)| fault));
    let own = match &step.action {
        Action::Fault(fault) => Some(fault),
        _ => None,
    };
    own.into_iter().chain(under)
}

/// Who is behind a proxy: those whose messages a fault hits need not be put there.
pub(in crate::e2e) fn proxied<'a>(
    steps: impl Iterator<Item = &'a Step>,
    said: ProxyTable,
) -> ProxyTable {
    let mut proxy = said;
    for fault in steps.flat_map(of).filter(|fault| fault.what.is_of_messages()) {
        match fault.on {
            Some(Side::Client) => proxy.client = true,
            Some(Side::Services) => proxy.services = true,
            // Everybody's.
            None => proxy = ProxyTable { client: true, services: true },
        }
    }
    proxy
}

/// Whether nodes of a cluster are cut off from each other.
pub(in crate::e2e) fn cut_off<'a>(mut steps: impl Iterator<Item = &'a Step>) -> bool {
    steps.any(|step| of(step).any(|fault| matches!(fault.what, What::IsolateNode(_))))
}

/// What was broken until a later step mends it is not ended by another fault in silence, and a cluster that was
/// broken until `heal` is not broken further: one that asks who leads could ask a node that never answers.
pub(in crate::e2e) fn one_at_a_time(fixture: &Fixture, findings: &mut Findings) {
    let mut lasting: Vec<&Fault> = Vec::new();
    let steps = fixture.all_steps();
    for (step, fault) in steps.flat_map(|step| of(step).map(move |fault| (step, fault))) {
        let all_paused = all_paused(fault, &lasting, fixture);
        let word = fault.what.word();
        let is_in_the_way = |first: &&&Fault| ends(fault, first, all_paused);
        let told = lasting.iter().find(is_in_the_way).and_then(|first| {
            let (what, mender) = (first.what.word(), first.what.mended_by()?.word());
            Some(match mender {
                "heal" => {
                    (format!("`{word}` needs all nodes, and `{what}` lasts until `heal`"), mender)
                }
                _ => (format!("`{word}` would end `{what}`, which lasts until `{mender}`"), mender),
            })
        });
        if let Some((message, mender)) = told {
            let help = format!("a step `fault = \"{mender}\"` before it ends that, as `for` would");
            findings.add_with_help(step.span.clone(), message, help);
            continue;
        }
        lasting.retain(|first| !fault.mends(first));
        if lasts(fault.what) && fault.lasts.is_none() {
            lasting.push(fault);
        }
    }
}

/// Whether those that were paused one by one are all that a fault could hit.
fn all_paused(fault: &Fault, lasting: &[&Fault], fixture: &Fixture) -> bool {
    let hits = |first: &&&Fault| {
        let is_among = fault.service.is_none() || fault.service == first.service;
        first.what == What::PauseService && is_among
    };
    let paused = lasting.iter().filter(hits).count();
    paused >= fixture.processes_of(fault.service.as_deref())
}

/// Whether a fault ends one that was to last, or cannot be had beside it.
fn ends(fault: &Fault, first: &Fault, all_paused: bool) -> bool {
    let same = match (&fault.service, &first.service) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    match first.what {
        What::LoseQuorum | What::IsolateNode(_) => {
            fault.what.breaks_servers() || fault.what == What::PauseBroker
        }
        What::PauseBroker => fault.what.breaks_servers(),
        // They end what is paused; of several, one may be another.
        What::PauseServices => same && fault.what.is_of_services() && !fault.what.mends(),
        What::PauseService => {
            let all = [What::KillServices, What::RestartServices, What::StopServices];
            let one = [What::KillService, What::RestartService, What::StopService];
            same && (all.contains(&fault.what) || all_paused && one.contains(&fault.what))
        }
        // They start what is away.
        What::StopServices | What::StopService => {
            let starts = matches!(
                fault.what,
                What::KillServices
                    | What::KillService
                    | What::RestartServices
                    | What::RestartService
            );
            same && starts
        }
        _ => false,
    }
}

/// A cluster breaks in other ways than one broker does, and a network only where a proxy is.
pub(in crate::e2e) fn fit(
    step: &Step,
    broker: &BrokerTable,
    proxy: ProxyTable,
    findings: &mut Findings,
) {
    for fault in of(step) {
        if let Some((message, help)) = unfit(fault, broker, proxy) {
            let span: Span = step.span.clone();
            findings.add_with_help(span, format!("`{}` {message}", fault.what.word()), help);
        }
    }
}

fn unfit(
    fault: &Fault,
    broker: &BrokerTable,
    proxy: ProxyTable,
) -> Option<(&'static str, &'static str)> {
    if broker.url.is_some() && !fault.what.is_of_services() {
        return Some((
            "needs a broker of the run's own",
            "`url` of `[broker]` names one that somebody else runs: only services can be broken",
        ));
    }
    let behind = match fault.on {
        Some(Side::Client) => proxy.client,
        Some(Side::Services) => proxy.services,
        None => proxy.client || proxy.services,
    };
    if fault.what.is_of_a_network() && !behind {
        return Some(match fault.on {
            Some(Side::Services) => (
                "on services breaks a network that can be made bad",
                "`[proxy] services = true` puts the services behind one",
            ),
            _ => (
                "breaks a network that can be made bad",
                "`[proxy] client = true` puts the client behind one",
            ),
        });
    }
    match (fault.what, broker.cluster) {
        (what, None) if what.needs_cluster() => Some((
            "breaks a cluster; this fixture has a single broker",
            "`[broker] cluster = 3` makes it a cluster",
        )),
        (What::IsolateNode(Some(_)), Some(_)) if !proxy.client => Some((
            "with `client_on` has to know where the client is connected",
            "`[proxy] client = true` puts a proxy before each node, which tells",
        )),
        (What::KillNode(nodes), Some(all)) if nodes > all => {
            Some(("kills more nodes than there are", "`nodes` is at most `cluster` of `[broker]`"))
        }
        _ => None,
    }
}
