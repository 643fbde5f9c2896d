//! Faults: a word and what goes with it, as a step or `under` a load.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::ast::scenario::{BrokerTable, ProxyTable};
use super::ast::step::{Action, Load, Step};
use super::data::as_text;
use super::findings::Findings;
use super::reader::Fields;
use crate::broker::{Direction, Fault, Side, What};
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
];
const SIDES: [(&str, Side); 2] =
    [(Side::Client.word(), Side::Client), (Side::Services.word(), Side::Services)];
const DIRECTIONS: [(&str, Direction); 2] = [
    (Direction::ToServer.word(), Direction::ToServer),
    (Direction::ToClient.word(), Direction::ToClient),
];

/// The fault of a step.
pub(in crate::e2e) fn step(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Action> {
    let word = fields.text("fault", findings)?;
    let Some(what) = What::named(&word) else {
        let known: Vec<&str> = What::words().collect();
        let span = fields.get("fault").map_or(0..0, toml::Spanned::span);
        findings.unknown(span, "fault", &word, &known);
        return None;
    };
    Some(Action::Fault(fault(what, fields, findings)))
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
                let known = [KEYS, &["times"]].concat();
                let inner = Fields::new(table, item.span(), "key of a fault", &known, findings);
                let times = inner.count("times", 1, findings).unwrap_or(1);
                (fault(what, &inner, findings), times)
            }
            _ => match outer.count(word, 1, findings) {
                // Without a table there are no values.
                Some(times) => {
                    let none = DeTable::new();
                    let inner = Fields { table: &none, span: outer.span_of(word) };
                    (fault(what, &inner, findings), times)
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
        What::Delay { .. } => vec!["latency", "jitter"],
        What::Cut | What::CutAfter { .. } => vec!["after_bytes", "direction"],
        What::Chop { .. } => vec!["chunk", "every"],
        What::HalfOpen(_) => vec!["direction"],
        What::KillNode(_) => vec!["nodes"],
        _ => Vec::new(),
    };
    if what.is_of_a_network() {
        takes.push("on");
    }
    if what.is_of_services() {
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

/// The values that are given, in place of the usual ones.
fn fault(what: What, fields: &Fields<'_, '_>, findings: &mut Findings) -> Fault {
    let takes = takes(what);
    for key in KEYS.iter().filter(|key| fields.get(key).is_some() && !takes.contains(key)) {
        let help = match takes.as_slice() {
            [] => format!("`{}` takes nothing", what.word()),
            takes => format!("`{}` takes {}", what.word(), takes.join(", ")),
        };
        let message = format!("`{key}` does not go with `{}`", what.word());
        findings.add_with_help(fields.key_span(key), message, help);
    }
    let direction = one_of("direction", "direction", &DIRECTIONS, fields, findings);
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
        other => other,
    };
    let lasts = fields.duration("for", findings);
    if lasts == Some(Duration::ZERO) {
        findings.add(fields.span_of("for"), "a fault that lasts no time breaks nothing");
    }
    let on = one_of("on", "side", &SIDES, fields, findings);
    let service = fields.text("service", findings);
    if let Some(name) = service.as_ref().filter(|name| !findings.services.contains(*name)) {
        let known: Vec<String> = findings.services.iter().cloned().collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        findings.unknown(fields.span_of("service"), "service", name, &known);
    }
    let stream = fields.text("stream", findings);
    if what.is_of_a_leader() && fields.get("stream").is_none() && !findings.leaders {
        let message = format!("`{}` must say whose leader: the `stream`", what.word());
        findings.add_with_help(fields.span.clone(), message, "as in `stream = \"ORDERS\"`");
    }
    Fault { what, on, service, stream, lasts }
}

/// One of some words.
fn one_of<T: Copy>(
    key: &str,
    what: &str,
    known: &[(&str, T)],
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<T> {
    let word = fields.text(key, findings)?;
    let found = known.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let span = fields.get(key).filter(|item| as_text(item).is_some());
        let words: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        findings.unknown(span.map_or(0..0, toml::Spanned::span), what, &word, &words);
    }
    found.map(|(_, value)| *value)
}

/// A cluster breaks in other ways than one broker does, and a network only where a proxy is.
pub(in crate::e2e) fn fit(
    step: &Step,
    broker: &BrokerTable,
    proxy: ProxyTable,
    findings: &mut Findings,
) {
    let under = step.load.iter().flat_map(|load| load.under.iter().map(|(fault, _)| fault));
    let own = match &step.action {
        Action::Fault(fault) => Some(fault),
        _ => None,
    };
    for fault in own.into_iter().chain(under) {
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
        (What::KillNode(nodes), Some(all)) if nodes > all => {
            Some(("kills more nodes than there are", "`nodes` is at most `cluster` of `[broker]`"))
        }
        _ => None,
    }
}
