//! The figures of a run: operations, redeliveries, and how long the faults had an effect.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

use super::gap;
use super::index::{Ended, Index};
use super::promises::Judged;
use crate::counted::counted;
use crate::e2e::record::history::event::Phase;

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Operations begun.
    pub operations: usize,
    /// Of those, the ones that happened.
    pub ok: usize,
    /// The ones that certainly did not.
    pub fail: usize,
    /// The ones that may have: timeouts, and operations without any reply.
    pub unknown: usize,
    /// Deliveries to workers.
    pub deliveries: usize,
    /// Of those, messages of a stream that had been delivered before.
    pub redelivered: usize,
    /// Faults that were begun.
    pub faults: usize,
    /// The longest time in which a write (submit or publish) was wanted and none was acknowledged,
    /// nanoseconds.
    pub longest_write_gap_ns: Option<u64>,
    /// From the end of the last fault until everything was final, nanoseconds; for an operation
    /// that was submitted later, from its submission. Absent without faults, or if not everything
    /// is final.
    pub last_fault_to_final_ns: Option<u64>,
    /// What oracles count, by their names.
    #[serde(flatten)]
    pub promised: Map<String, Value>,
    /// The same for people.
    #[serde(skip)]
    told: Vec<String>,
}

pub(in crate::e2e) fn figures(index: &Index<'_>, judged: &mut [Judged]) -> Figures {
    let ended = |how| index.operations.iter().filter(|operation| operation.ended() == how).count();
    let endings = || judged.iter().filter_map(|judged| judged.endings);
    let all_final = endings().all(|endings| endings.open == 0);
    let longest = endings().filter_map(|endings| endings.longest_ns).max();
    Figures {
        operations: index.operations.len(),
        ok: ended(Ended::Ok),
        fail: ended(Ended::Fail),
        unknown: ended(Ended::Unknown),
        deliveries: index.deliveries.len(),
        redelivered: index.redelivered(),
        faults: index.faults.iter().filter(|(_, fault)| fault.phase == Phase::Begin).count(),
        longest_write_gap_ns: gap::longest(index),
        last_fault_to_final_ns: longest.filter(|_| all_final),
        told: judged.iter_mut().flat_map(|judged| std::mem::take(&mut judged.lines)).collect(),
        promised: judged
            .iter_mut()
            .flat_map(|judged| std::mem::take(&mut judged.figures))
            .collect(),
    }
}

impl Figures {
    /// For people: the results of promises, redeliveries, and how long the faults had an effect. A
    /// history without any of these has no line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.told.clone();
        if self.redelivered > 0 {
            let deliveries = counted(self.deliveries, "delivery");
            lines.push(format!("{deliveries}, {} redelivered", self.redelivered));
        }
        if self.faults > 0 {
            let mut line = counted(self.faults, "fault");
            if let Some(gap_ns) = self.longest_write_gap_ns {
                line.push_str(&format!(
                    "; longest time without an acknowledged write {:?}",
                    rounded(gap_ns)
                ));
            }
            match self.last_fault_to_final_ns {
                None => {}
                Some(0) => line.push_str("; everything final when the last fault ended"),
                Some(ns) => line.push_str(&format!(
                    "; everything final {:?} after the last fault",
                    rounded(ns)
                )),
            }
            lines.push(line);
        }
        lines
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} ok, {} fail, {} unknown",
            counted(self.operations, "operation"),
            self.ok,
            self.fail,
            self.unknown
        )?;
        self.lines().into_iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// To a tenth of a millisecond.
fn rounded(ns: u64) -> Duration {
    Duration::from_micros(ns / 100_000 * 100)
}
