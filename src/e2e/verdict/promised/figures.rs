//! A promise in numbers.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::breaches::{CHANGED_AFTER_FINAL, LATE, LOST, NOT_FINAL, OUT_OF_ORDER, TWICE, UNASKED};
use super::lives::Lives;
use crate::counted::counted;
use crate::e2e::verdict::finding::Findings;

/// A promise in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    /// Keys of which an operation was acknowledged.
    acknowledged: usize,
    /// Of those, with all that was promised.
    done: usize,
    /// Effects that are not there, of those; and those that never came to an end.
    pub(super) lost: usize,
    /// Keys and places with more than one effect.
    twice: usize,
    /// Effects that nobody asked for.
    unasked: usize,
    /// Effects before those of earlier operations.
    out_of_order: usize,
    /// Effects after their time.
    late: usize,
    /// Words after an end.
    changed: usize,
    /// The longest from a first attempt to an effect, milliseconds.
    slowest_ms: u64,
    /// The longest that an effect took after the last operation and the last fault, milliseconds.
    after_last_fault_ms: u64,
}

pub(super) fn figures(lives: &Lives<'_, '_>, findings: &Findings) -> Figures {
    let many = |breach: &str| findings.count(breach);
    let took = lives.acknowledged().flat_map(|(_, life)| {
        let begun = life.operations.first().map_or(0, |operation| operation.begun.at_ns);
        (0..life.effects.len()).filter_map(move |effect| {
            let (event, _) = lives.counting(life, effect).next()?;
            Some(event.at_ns.saturating_sub(begun))
        })
    });
    Figures {
        acknowledged: lives.acknowledged().count(),
        done: lives.acknowledged().filter(|(_, life)| lives.is_done(life)).count(),
        lost: many(LOST) + many(NOT_FINAL),
        twice: many(TWICE),
        unasked: many(UNASKED),
        out_of_order: many(OUT_OF_ORDER),
        late: many(LATE),
        changed: many(CHANGED_AFTER_FINAL),
        slowest_ms: took.max().unwrap_or_default() / 1_000_000,
        after_last_fault_ms: lives.longest_ns().unwrap_or_default() / 1_000_000,
    }
}

impl Figures {
    /// Sums, and the longest times.
    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.done += other.done;
        self.lost += other.lost;
        self.twice += other.twice;
        self.unasked += other.unasked;
        self.out_of_order += other.out_of_order;
        self.late += other.late;
        self.changed += other.changed;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        self.after_last_fault_ms = self.after_last_fault_ms.max(other.after_last_fault_ms);
    }

    pub(super) fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// `promise order: 500 acknowledged, 500 done, 0 lost, 0 twice, 0 unasked; slowest 1.2s`.
    pub(super) fn line(&self, name: &str) -> String {
        let mut line = format!(
            "promise {name}: {} acknowledged, {} done, {} lost, {} twice, {} unasked",
            self.acknowledged, self.done, self.lost, self.twice, self.unasked
        );
        for (many, what) in [(self.out_of_order, "out of order"), (self.late, "late")] {
            if many > 0 {
                line.push_str(&format!(", {many} {what}"));
            }
        }
        if self.changed > 0 {
            line.push_str(&format!(", {} after an end", counted(self.changed, "change")));
        }
        if self.done > 0 {
            let time = |ms| match ms {
                0 => "under 1ms".to_owned(),
                ms => format!("{:?}", Duration::from_millis(ms)),
            };
            line.push_str(&format!(
                "; slowest {}, the last {} after the last operation and fault",
                time(self.slowest_ms),
                time(self.after_last_fault_ms)
            ));
        }
        line
    }
}
