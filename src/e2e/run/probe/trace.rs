//! Gathers the trace of a run, for reports that want one: the tape of the steps, the broker's log,
//! the history, the other logs.
//!
//! What cannot be read is left out: a report has less to show, and the run's verdict stays what it
//! is.

use std::time::Duration;

use super::broker_trace::line::{self, Line};
use super::broker_trace::reading::Reading;
use super::broker_trace::{conversation, end, level};
use crate::e2e::record::history::clock::Clock;
use crate::e2e::record::history::event::{Event, Phase, What};
use crate::e2e::record::history::reader::History;
use crate::e2e::record::tape::Tape;
use crate::e2e::record::trace::{Bounded, Effect, Fault, Lane, LogLine, Party, Trace};
use crate::e2e::run::oracle::Oracles;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::process::clean;

/// So many messages are drawn: more are no picture any more, and make a page of many runs too large.
const MOST_MESSAGES: usize = 200;
/// So many faults and effects are shown.
const MOST_EVENTS: usize = 200;
/// So many log lines are shown.
const MOST_LINES: usize = 600;
/// More of the broker's log is not read.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// How long the end of the broker's log may be on its way to its file.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Everything, bounded; the broker still runs.
pub(in crate::e2e) async fn gather(
    world: &World,
    tape: Tape,
    fixture: &Fixture,
    written: &str,
    stopped: bool,
) -> Trace {
    let clock = world.recorder.clock();
    let steps = tape.end(clock, written, stopped);
    let elsewhere = world.brokers.is_elsewhere();
    let elsewhere =
        elsewhere.then_some("Somebody else runs the broker: its messages are not drawn");
    let load = elsewhere.or_else(|| level::undrawn(fixture));
    if load.is_none() {
        let _ = tokio::time::timeout(LAST_LINES, end::last_lines(world.harness(), &world.brokers))
            .await;
    }
    let mut reading = Reading::default();
    let mut untraced = load;
    for path in world.brokers.log_paths() {
        match reading.read_on(path, MOST_BYTES) {
            Ok(true) => {}
            Ok(false) => {
                untraced = untraced
                    .or(Some("The broker's trace is too long; only its beginning is shown"));
            }
            Err(_) => untraced = untraced.or(Some("The broker's trace cannot be read")),
        }
    }
    let lines = reading.lines();
    let oracles = world.oracles();
    let lanes: Vec<Lane> = oracles.iter().flat_map(|oracle| oracle.lanes().to_vec()).collect();
    let messages = match load {
        None => conversation::conversation(lines, &lanes, |at| clock.ns_at(at)),
        Some(_) => Vec::new(),
    };
    let (faults, effects) = history(world);
    Trace {
        steps,
        messages: Bounded::first(MOST_MESSAGES, messages),
        untraced,
        faults: Bounded::first(MOST_EVENTS, faults),
        effects: Bounded::first(MOST_EVENTS, effects),
        lanes: lanes.iter().map(|lane| lane.party).collect(),
        logs: logs(world, clock, lines),
    }
}

/// What the history says, with what oracles see at once if the run did not get to its end.
fn history(world: &World) -> (Vec<Fault>, Vec<Effect>) {
    let recorder = &world.recorder;
    let oracles = world.oracles();
    oracles.iter().for_each(|oracle| oracle.glimpse(&world.probe(), recorder));
    // Where the run has concluded, it is ended already and none of this is written.
    let _ = recorder.finish([]);
    let Ok(history) = History::open(world.history_path()) else {
        return (Vec::new(), Vec::new());
    };
    (faults(&history.events), effects(&history.events, oracles))
}

fn faults(events: &[Event]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for event in events {
        let What::Fault(fault) = &event.what else { continue };
        match fault.phase {
            Phase::Begin => {
                faults.push(Fault { name: fault.name.clone(), begin_ns: event.at_ns, end_ns: None })
            }
            Phase::End => {
                let open = faults.iter_mut().rfind(|f| f.name == fault.name && f.end_ns.is_none());
                if let Some(open) = open {
                    open.end_ns = Some(event.at_ns);
                }
            }
        }
    }
    faults
}

fn effects(events: &[Event], oracles: &Oracles) -> Vec<Effect> {
    let effects = events.iter().filter_map(|event| {
        let (at, text) = match &event.what {
            What::Fact(fact) => oracles.iter().find_map(|oracle| oracle.told(fact))?,
            What::Fail(refusal) => (Party::Client, format!("did not happen: {}", refusal.reason)),
            What::Unknown(refusal) => {
                (Party::Client, format!("may have happened: {}", refusal.reason))
            }
            _ => return None,
        };
        Some(Effect { at_ns: event.at_ns, at, text: clean(&text) })
    });
    let mut effects: Vec<Effect> = effects.collect();
    effects.sort_by_key(|effect| effect.at_ns);
    effects
}

/// The lines of all processes by time; of too many the last. What the broker said before the clock
/// was started is its banner.
fn logs(world: &World, clock: Clock, broker: &[Line]) -> Bounded<LogLine> {
    let mut lines: Vec<LogLine> = broker
        .iter()
        .filter_map(|line| match &line.what {
            line::What::Plain(text) => Some(LogLine {
                at_ns: clock.ns_at(line.at),
                source: "broker".to_owned(),
                text: clean(text),
            }),
            line::What::Trace { .. } => None,
        })
        .filter(|line| line.at_ns > 0)
        .collect();
    let driver = format!("driver {}", world.driver.name());
    let driver = world.driver.timed_log().into_iter().map(|(at, text)| (at, driver.clone(), text));
    lines.extend(
        world.services.timed_log().into_iter().chain(driver).map(|(at, source, text)| LogLine {
            at_ns: clock.ns_of(at),
            source,
            text,
        }),
    );
    lines.sort_by_key(|line| line.at_ns);
    let more = lines.len().saturating_sub(MOST_LINES);
    Bounded { kept: lines.split_off(more), more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history;

    #[test]
    fn a_fault_has_both_ends_or_none() {
        let line = |seq, name: &str, phase| Event {
            seq,
            at_ns: seq * 10,
            what: What::Fault(history::Fault { name: name.to_owned(), phase, hit: None }),
        };
        let events = [
            line(1, "kill-broker", Phase::Begin),
            line(2, "kill-broker", Phase::End),
            line(3, "kill-broker", Phase::Begin),
            line(4, "cut", Phase::End),
        ];
        let ends: Vec<_> = faults(&events).iter().map(|f| (f.begin_ns, f.end_ns)).collect();
        assert_eq!(ends, [(10, Some(20)), (30, None)]);
    }
}
