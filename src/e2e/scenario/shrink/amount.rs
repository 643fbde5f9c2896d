//! How much a fixture does, for a table of before and after.

use std::fmt;

use serde::Serialize;
use toml_edit::DocumentMut;

use super::place::{Seen, Way};
use crate::counted::counted;

/// Verbs that send something.
const SENDS: [&str; 4] = ["submit", "publish", "request", "call"];

/// How much a fixture does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Messages and calls of the client.
    pub messages: usize,
    /// How many of them at a time, at most.
    pub clients: usize,
    /// Times that something breaks.
    pub faults: usize,
    /// Service processes of each service.
    pub processes: usize,
    /// Steps and teardown steps.
    pub steps: usize,
    /// Checks.
    pub checks: usize,
}

impl Amount {
    /// What a text does, without what it includes.
    pub fn of(text: &str) -> Self {
        let Ok(document) = text.parse::<DocumentMut>() else { return Self::default() };
        let top = Seen::top(&document);
        let tables = |word: &str| {
            let all = top.get(word).map(|tables| (tables, tables.ways()));
            all.into_iter()
                .flat_map(|(tables, ways)| {
                    ways.into_iter().filter_map(move |way| tables.below(&way))
                })
                .collect::<Vec<_>>()
        };
        let steps = [tables("step"), tables("teardown")].concat();
        let whole = |seen: Seen<'_>| usize::try_from(seen.number()?).ok();
        let number = |seen: &Seen<'_>, word: &str| seen.get(word).and_then(whole);
        let mut amount = Self {
            clients: 1,
            processes: top.get("processes").and_then(|seen| number(&seen, "services")).unwrap_or(1),
            steps: steps.len(),
            checks: tables("check").len(),
            ..Self::default()
        };
        for step in &steps {
            let times = number(step, "repeat").unwrap_or(1);
            let copies = number(step, "copies").unwrap_or(1);
            if SENDS.iter().any(|verb| step.get(verb).is_some()) {
                amount.messages += times * copies;
                amount.clients = amount.clients.max(number(step, "concurrency").unwrap_or(1));
            }
            amount.faults += usize::from(step.get("fault").is_some());
            let under = step.get("under").map(|under| (under, under.ways()));
            for (under, way) in under
                .into_iter()
                .flat_map(|(under, ways)| ways.into_iter().map(move |way: Way| (under, way)))
            {
                let times = under.below(&way);
                amount.faults += times
                    .and_then(|seen| whole(seen).or_else(|| number(&seen, "times")))
                    .unwrap_or(1);
            }
        }
        amount
    }

    /// Each with its name, in the plural.
    pub fn facts(&self) -> [(&'static str, usize); 6] {
        let Self { messages, clients, faults, processes, steps, checks } = *self;
        [
            ("messages", messages),
            ("at a time", clients),
            ("faults", faults),
            ("processes", processes),
            ("steps", steps),
            ("checks", checks),
        ]
    }
}

/// `300 messages, 20 at a time, 9 faults, 1 process, 2 steps, 1 check`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, clients, faults, processes, steps, checks } = *self;
        let processes = counted(processes, "process");
        write!(f, "{}, {clients} at a time, ", counted(messages, "message"))?;
        write!(f, "{}, {processes}, ", counted(faults, "fault"))?;
        write!(f, "{}, {}", counted(steps, "step"), counted(checks, "check"))
    }
}
