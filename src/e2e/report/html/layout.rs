//! Turns a trace into rows and bands, for the diagram and its text alternative.

use crate::e2e::record::trace::{Effect, Kind, Message, Party, Trace};
use crate::e2e::report::html::show;

/// With more effects than this and no messages, as under a load, they are not drawn.
const MOST_EFFECTS: usize = 100;
/// The same exchange so often in a row is drawn once.
const REPEATED: usize = 3;

/// What is drawn, from top to bottom.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::e2e) struct Layout {
    /// From left to right.
    pub(in crate::e2e) lanes: Vec<Party>,
    pub(in crate::e2e) rows: Vec<Row>,
    pub(in crate::e2e) bands: Vec<Band>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) struct Row {
    pub(in crate::e2e) at_ns: u64,
    pub(in crate::e2e) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) enum What {
    /// A step begins.
    Step { number: usize, heading: String, stopped_here: bool },
    /// A message, or a call that no broker sees.
    Arrow(Arrow),
    /// Something at one party.
    Note { at: Party, text: String },
    /// Something is broken on purpose from here on.
    FaultBegins { name: String },
    /// It is over, or mended, after so many nanoseconds.
    FaultEnds { name: String, took_ns: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) struct Arrow {
    pub(in crate::e2e) from: Party,
    pub(in crate::e2e) to: Party,
    /// An answer to something above.
    pub(in crate::e2e) back: bool,
    /// What it is, in a few words.
    pub(in crate::e2e) label: String,
    /// Its body.
    pub(in crate::e2e) text: String,
    /// A warning at a message.
    pub(in crate::e2e) mark: Option<Mark>,
    /// So often in a row.
    pub(in crate::e2e) times: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) enum Mark {
    /// The stream delivers it once more.
    Redelivery { attempt: u64 },
    /// The stream had it already.
    Duplicate,
    /// The broker saw no reply.
    Unanswered,
}

impl Mark {
    /// Words for everybody, with a sign for the eye.
    pub(in crate::e2e) fn words(&self) -> String {
        match self {
            Self::Redelivery { attempt } => format!("↻ redelivery, attempt {attempt}"),
            Self::Duplicate => "⧉ duplicate: the stream had it".to_owned(),
            Self::Unanswered => "∅ no reply seen".to_owned(),
        }
    }

    pub(in crate::e2e) fn class(&self) -> &'static str {
        match self {
            Self::Redelivery { .. } => "redelivery",
            Self::Duplicate => "duplicate",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Rows during which something was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) struct Band {
    pub(in crate::e2e) name: String,
    /// The row in which it begins.
    pub(in crate::e2e) first: usize,
    /// The row in which it ends, or the last one.
    pub(in crate::e2e) last: usize,
}

/// Lays a trace out.
pub(in crate::e2e) fn layout(trace: &Trace) -> Layout {
    let rows = repeats_once(in_order(trace));
    let bands = bands(&rows);
    let takes_part = |party: &Party| {
        matches!(party, Party::Client | Party::Broker | Party::Services)
            || rows.iter().any(|row| match &row.what {
                What::Arrow(arrow) => arrow.from == *party || arrow.to == *party,
                What::Note { at, .. } => at == party,
                _ => false,
            })
    };
    let all = [Party::Client, Party::Broker, Party::Services];
    let lanes = all.into_iter().chain(trace.lanes.iter().copied()).filter(takes_part).collect();
    Layout { lanes, rows, bands }
}

fn in_order(trace: &Trace) -> Vec<Row> {
    let steps = trace.steps.iter().enumerate().map(|(at, step)| Row {
        at_ns: step.at_ns,
        what: What::Step {
            number: at + 1,
            heading: show::text(&step.heading),
            stopped_here: step.stopped_here,
        },
    });
    let begins = trace.faults.kept.iter().map(|fault| Row {
        at_ns: fault.begin_ns,
        what: What::FaultBegins { name: show::text(&fault.name) },
    });
    let ends = trace.faults.kept.iter().filter_map(|fault| {
        let end = fault.end_ns?;
        let took_ns = end.saturating_sub(fault.begin_ns);
        let what = What::FaultEnds { name: show::text(&fault.name), took_ns };
        Some(Row { at_ns: end, what })
    });
    let messages = trace
        .messages
        .kept
        .iter()
        .map(|message| Row { at_ns: message.at_ns, what: What::Arrow(arrow(message)) });
    let effects = trace.effects.kept.iter().filter_map(|effect| effect_row(trace, effect));
    // What begins stands before what it causes at the same time, and what ends after it.
    let mut rows: Vec<Row> =
        steps.chain(begins).chain(messages).chain(effects).chain(ends).collect();
    rows.sort_by_key(|row| row.at_ns);
    rows
}

fn arrow(message: &Message) -> Arrow {
    let subject = &message.subject;
    let (back, label, mark) = match &message.kind {
        Kind::Request { answered } => {
            (false, format!("{subject} ?"), (!answered).then_some(Mark::Unanswered))
        }
        Kind::Reply { error: false } => (true, format!("= {}", message.text), None),
        Kind::Reply { error: true } => (true, format!("error: {}", message.text), None),
        Kind::Publish | Kind::Submit => (false, subject.clone(), None),
        Kind::Stored { stream, sequence, duplicate } => {
            (true, format!("stored: {stream} {sequence}"), duplicate.then_some(Mark::Duplicate))
        }
        Kind::Delivery { stream, sequence, attempt } => {
            let again = (*attempt > 1).then_some(Mark::Redelivery { attempt: *attempt });
            (false, format!("delivers {stream} {sequence}"), again)
        }
        Kind::Settled { word, stream, sequence } => {
            (true, format!("{word} {stream} {sequence}"), None)
        }
        Kind::Event => (false, format!("event {subject}"), None),
    };
    let text = match message.kind {
        Kind::Stored { .. } | Kind::Settled { .. } => String::new(),
        _ => show::text(&message.text),
    };
    let (from, to) = (message.from, message.to);
    Arrow { from, to, back, label: show::text(&label), text, mark, times: 1 }
}

/// What a journal says happened between services and somebody outside; what streams have is among the
/// messages already, where those were seen.
fn effect_row(trace: &Trace, effect: &Effect) -> Option<Row> {
    let unseen = trace.messages.kept.is_empty();
    if unseen && trace.effects.kept.len() + trace.effects.more > MOST_EFFECTS {
        return None;
    }
    let what = match effect.at {
        Party::Outside(_) => What::Arrow(Arrow {
            from: Party::Services,
            to: effect.at,
            back: false,
            label: show::text(&effect.text),
            text: String::new(),
            mark: None,
            times: 1,
        }),
        Party::Stream(_) | Party::Broker if !unseen => return None,
        at => What::Note { at, text: show::text(&effect.text) },
    };
    Some(Row { at_ns: effect.at_ns, what })
}

/// A request that is repeated every 20 ms until something holds is drawn once, with the count.
fn repeats_once(rows: Vec<Row>) -> Vec<Row> {
    let same =
        |a: &Row, b: &Row| matches!((&a.what, &b.what), (What::Arrow(a), What::Arrow(b)) if a == b);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let times = |period: usize| {
            let equal = |n: &usize| {
                (0..period).all(|i| {
                    let (a, b) = (rows.get(at + i), rows.get(at + n * period + i));
                    matches!((a, b), (Some(a), Some(b)) if same(a, b))
                })
            };
            (1..).take_while(equal).count() + 1
        };
        let found = [1, 2, 4].into_iter().map(|period| (period, times(period)));
        let (period, times) = found.into_iter().find(|(_, n)| *n >= REPEATED).unwrap_or((1, 1));
        for row in &rows[at..at + period] {
            let mut row = row.clone();
            if let What::Arrow(arrow) = &mut row.what {
                arrow.times = times;
            }
            kept.push(row);
        }
        at += period * times;
    }
    kept
}

fn bands(rows: &[Row]) -> Vec<Band> {
    let mut bands: Vec<(Band, bool)> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        match &row.what {
            What::FaultBegins { name } => {
                let band = Band { name: name.clone(), first: at, last: rows.len() - 1 };
                bands.push((band, true));
            }
            What::FaultEnds { name, .. } => {
                let same = |(band, open): &&mut (Band, bool)| *open && band.name == *name;
                if let Some((band, open)) = bands.iter_mut().rfind(same) {
                    (band.last, *open) = (at, false);
                }
            }
            _ => {}
        }
    }
    bands.into_iter().map(|(band, _)| band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::trace::{Bounded, Fault, Step};

    fn kept<T>(kept: Vec<T>) -> Bounded<T> {
        Bounded { kept, more: 0 }
    }

    fn message(at_ns: u64, from: Party, to: Party, kind: Kind, text: &str) -> Message {
        Message { at_ns, from, to, kind, subject: "a.b".to_owned(), text: text.to_owned() }
    }

    fn step(at_ns: u64, heading: &str, stopped_here: bool) -> Step {
        Step {
            at_ns,
            took_ns: 1,
            line: Some(1),
            verb: "call",
            heading: heading.to_owned(),
            block: String::new(),
            stopped_here,
        }
    }

    fn effect(at_ns: u64, at: Party, text: &str) -> Effect {
        Effect { at_ns, at, text: text.to_owned() }
    }

    fn shown(layout: &Layout) -> String {
        let lanes: Vec<_> = layout.lanes.iter().map(|lane| lane.name()).collect();
        let mut lines = vec![lanes.join(" | ")];
        for (at, row) in layout.rows.iter().enumerate() {
            let open = layout.bands.iter().filter(|band| (band.first..=band.last).contains(&at));
            let bars = "#".repeat(open.count());
            let what = match &row.what {
                What::Step { number, heading, stopped_here } => {
                    format!("{number}. {heading}{}", if *stopped_here { " !" } else { "" })
                }
                What::Arrow(arrow) => {
                    let line = if arrow.back { "-->" } else { "->" };
                    let mark = arrow.mark.as_ref().map(|mark| format!(" [{}]", mark.words()));
                    let (from, to) = (arrow.from.name(), arrow.to.name());
                    let (label, times) = (&arrow.label, arrow.times);
                    format!("{from} {line} {to}: {label} × {times}{}", mark.unwrap_or_default())
                }
                What::Note { at, text } => format!("{}: {text}", at.name()),
                What::FaultBegins { name } => format!("{name} begins"),
                What::FaultEnds { name, took_ns } => {
                    format!("{name} is over after {took_ns}")
                }
            };
            lines.push(format!("{:>3} {bars:<2} {what}", row.at_ns));
        }
        lines.join("\n")
    }

    #[test]
    fn everything_is_in_order_and_marked() {
        use Party::{Broker, Client, Services};
        let (depot, carrier) = (Party::Stream("depot"), Party::Outside("carrier"));
        let stored = |duplicate| Kind::Stored { stream: "requests".into(), sequence: 4, duplicate };
        let delivery = |attempt| Kind::Delivery { stream: "requests".into(), sequence: 4, attempt };
        let trace = Trace {
            steps: vec![
                step(1, "submit", false),
                step(20, "fault kill-broker", false),
                step(40, "call", true),
            ],
            messages: kept(vec![
                message(2, Client, Broker, Kind::Submit, "{}"),
                message(3, Broker, Client, stored(false), ""),
                message(4, Broker, Services, delivery(1), "{}"),
                message(30, Broker, Services, delivery(2), "{}"),
                message(31, Client, Broker, Kind::Submit, "{}"),
                message(32, Broker, Client, stored(true), ""),
                message(41, Client, Broker, Kind::Request { answered: false }, "{}"),
            ]),
            faults: kept(vec![
                Fault { name: "kill-broker".into(), begin_ns: 20, end_ns: Some(35) },
                Fault { name: "pause-services".into(), begin_ns: 33, end_ns: None },
            ]),
            effects: kept(vec![
                effect(34, carrier, "o-7 was sent"),
                effect(36, depot, "o-7 is shipped"),
                effect(42, Client, "may have happened: timeout"),
            ]),
            lanes: vec![depot, carrier],
            ..Trace::default()
        };
        insta::assert_snapshot!(shown(&layout(&trace)), @r#"
        client | broker | services | carrier
          1    1. submit
          2    client -> broker: a.b × 1
          3    broker --> client: stored: requests 4 × 1
          4    broker -> services: delivers requests 4 × 1
         20    2. fault kill-broker
         20 #  kill-broker begins
         30 #  broker -> services: delivers requests 4 × 1 [↻ redelivery, attempt 2]
         31 #  client -> broker: a.b × 1
         32 #  broker --> client: stored: requests 4 × 1 [⧉ duplicate: the stream had it]
         33 ## pause-services begins
         34 ## services -> carrier: o-7 was sent × 1
         35 ## kill-broker is over after 15
         40 #  3. call !
         41 #  client -> broker: a.b ? × 1 [∅ no reply seen]
         42 #  client: may have happened: timeout
        "#);
    }

    #[test]
    fn what_is_asked_again_and_again_is_drawn_once() {
        use Party::{Client, Services};
        let ask = |at| message(at, Client, Services, Kind::Request { answered: true }, "{}");
        let reply =
            |at, text: &str| message(at, Services, Client, Kind::Reply { error: false }, text);
        let mut messages = Vec::new();
        for n in 0..5 {
            messages.extend([ask(n * 10), reply(n * 10 + 1, "processing")]);
        }
        messages.extend([ask(60), reply(61, "completed")]);
        let trace = Trace { messages: kept(messages), ..Trace::default() };
        insta::assert_snapshot!(shown(&layout(&trace)), @r#"
        client | broker | services
          0    client -> services: a.b ? × 5
          1    services --> client: = processing × 5
         60    client -> services: a.b ? × 1
         61    services --> client: = completed × 1
        "#);
    }

    #[test]
    fn under_a_load_neither_messages_nor_effects_are_drawn() {
        let effects = (0..101).map(|n| effect(n, Party::Outside("carrier"), "sent")).collect();
        let trace = Trace {
            effects: kept(effects),
            steps: vec![step(1, "load", false)],
            ..Trace::default()
        };
        let layout = layout(&trace);
        assert_eq!(layout.rows.len(), 1);
        assert_eq!(layout.lanes, [Party::Client, Party::Broker, Party::Services]);
    }
}
