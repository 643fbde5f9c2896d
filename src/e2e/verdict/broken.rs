//! When something was broken: looked up for every delivery, however many faults there were.

use std::collections::HashMap;

use crate::e2e::record::history::event::{Event, Fault, Phase};

/// Spans of time, both ends included, in order and apart from each other.
#[derive(Debug, Default)]
pub(super) struct Broken(Vec<(u64, u64)>);

impl Broken {
    /// From each beginning to the end of that fault; where either has no other, the moment alone.
    pub(super) fn of(faults: &[(&Event, &Fault)]) -> Self {
        let mut spans = Vec::new();
        let mut ends: HashMap<&str, u64> = HashMap::new();
        for (event, fault) in faults.iter().rev() {
            let until = match fault.phase {
                Phase::End => {
                    ends.insert(&fault.name, event.at_ns);
                    event.at_ns
                }
                Phase::Begin => {
                    ends.get(&*fault.name).map_or(event.at_ns, |end| event.at_ns.max(*end))
                }
            };
            spans.push((event.at_ns, until));
        }
        spans.sort_unstable();
        let mut apart: Vec<(u64, u64)> = Vec::new();
        for (from, until) in spans {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => apart.push((from, until)),
            }
        }
        Self(apart)
    }

    /// Whether something was broken at some time between two, both included.
    pub(super) fn between(&self, from_ns: u64, to_ns: u64) -> bool {
        let at = self.0.partition_point(|(_, until)| *until < from_ns);
        self.0.get(at).is_some_and(|(from, _)| *from <= to_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::What;

    #[test]
    fn a_time_is_broken_from_a_beginning_to_its_end() {
        let (a, b) = ("kill-broker", "cut");
        let told = [
            (10, a, Phase::Begin),
            (15, b, Phase::Begin),
            (20, a, Phase::End),
            (30, b, Phase::End),
            (50, a, Phase::Begin),
            (60, b, Phase::End),
        ];
        let events: Vec<Event> = told
            .iter()
            .zip(1..)
            .map(|((at_ns, name, phase), seq)| {
                let fault = Fault { name: (*name).to_owned(), phase: *phase, hit: None };
                Event { seq, at_ns: *at_ns, what: What::Fault(fault) }
            })
            .collect();
        let faults: Vec<_> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::Fault(fault) => Some((event, fault)),
                _ => None,
            })
            .collect();
        let broken = Broken::of(&faults);
        for (from, to, is) in [
            (0, 9, false),
            (0, 10, true),
            (16, 17, true),
            (21, 29, true),
            (30, 31, true),
            (31, 49, false),
            (31, 60, true),
            (51, 59, false),
            (61, 99, false),
        ] {
            assert_eq!(broken.between(from, to), is, "{from} to {to}");
        }
        assert!(!Broken::of(&[]).between(0, u64::MAX));
    }
}
