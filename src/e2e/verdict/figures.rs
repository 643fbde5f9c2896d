//! The run in numbers: what was done, what was lost, what came twice, how long it took.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    time::Duration,
};

use serde::Serialize;

use super::index::{Ended, Index};
use super::promises::{finality, queue};
use crate::counted::counted;
use crate::e2e::record::history::amount::Amount;
use crate::e2e::record::history::event::{Phase, Status};
use crate::e2e::verdict::gap;
use crate::wire::journal::ChargeOutcome;

/// The kind of a dead letter whose payment has other content.
const CONFLICT: &str = "conflict";

/// The run in numbers.
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
    /// Payment ids that were submitted.
    pub payments: usize,
    /// Of those, acknowledged at least once.
    pub acknowledged: usize,
    /// Of the acknowledged, without any final outcome on record.
    pub lost: usize,
    /// Payment ids that are completed.
    pub completed: usize,
    /// Payment ids that are failed.
    pub failed: usize,
    /// Approved charges.
    pub charges: usize,
    /// Approved charges beyond the first of their payment.
    pub charged_twice: usize,
    /// Sum of the approved charges by currency, exact.
    pub charged: BTreeMap<String, Amount>,
    /// Sum of the completed payments by currency, exact.
    pub paid: BTreeMap<String, Amount>,
    /// Deliveries to workers.
    pub deliveries: usize,
    /// Of those, messages of a stream that had been delivered before.
    pub redelivered: usize,
    /// Queue messages that the broker took.
    pub queue_published: usize,
    /// Of those, the ones that one worker has dealt with, once.
    pub queue_once: usize,
    /// Of those, the ones that no worker has dealt with; core NATS allows it.
    pub queue_lost: usize,
    /// Queue messages and emails beyond the first of their kind.
    pub queue_twice: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Of those, messages with other content than the first of their payment.
    pub conflicts: usize,
    /// Faults that were begun.
    pub faults: usize,
    /// The longest time in which a write (submit or publish) was wanted and none was acknowledged,
    /// nanoseconds.
    pub longest_write_gap_ns: Option<u64>,
    /// From the end of the last fault until everything was final, nanoseconds; what was submitted
    /// only later is measured from then. Absent without faults, or where not everything is final.
    pub last_fault_to_final_ns: Option<u64>,
}

pub(in crate::e2e) fn figures(index: &Index<'_>) -> Figures {
    let mut f = Figures {
        operations: index.operations.len(),
        deliveries: index.deliveries.len(),
        redelivered: redelivered(index),
        dead_letters: index.dead_letters.len(),
        conflicts: index.dead_letters.iter().filter(|(_, letter)| letter.kind == CONFLICT).count(),
        ..Figures::default()
    };
    for operation in &index.operations {
        match operation.ended() {
            Ended::Ok => f.ok += 1,
            Ended::Fail => f.fail += 1,
            Ended::Unknown => f.unknown += 1,
        }
    }
    f.longest_write_gap_ns = gap::longest(index);
    payments(index, &mut f);
    queue_figures(index, &mut f);
    f.faults = index.faults.iter().filter(|(_, fault)| fault.phase == Phase::Begin).count();
    let endings = finality::endings(index).filter(|endings| endings.open == 0);
    let longest = endings.and_then(|endings| endings.all.iter().map(|ending| ending.after).max());
    f.last_fault_to_final_ns = longest.map(|longest| longest.as_nanos() as u64);
    f
}

/// A broker that was killed may have forgotten that it delivered a message before.
fn redelivered(index: &Index<'_>) -> usize {
    let mut seen = HashSet::new();
    let stored = index.deliveries.iter().map(|(_, delivery)| delivery);
    stored
        .filter(|delivery| delivery.sequence.is_some())
        .filter(|delivery| {
            !seen.insert((&delivery.message, delivery.sequence)) || delivery.attempt > 1
        })
        .count()
}

fn payments(index: &Index<'_>, f: &mut Figures) {
    for life in &index.payments {
        let submits = || life.submits.iter().map(|at| &index.operations[*at]);
        let finals = index.finals(life);
        let acknowledged = submits().any(|operation| operation.ended() == Ended::Ok);
        f.payments += usize::from(!life.submits.is_empty());
        f.acknowledged += usize::from(acknowledged);
        f.lost += usize::from(acknowledged && finals.is_empty());
        let approved = life.charges.iter().map(|(_, charge)| charge);
        let mut times = 0;
        for charge in approved.filter(|charge| charge.outcome == ChargeOutcome::Approved) {
            times += 1;
            add(&mut f.charged, &charge.currency, charge.amount);
        }
        f.charges += times;
        f.charged_twice += times.saturating_sub(1);
        let completed = finals.iter().filter(|seen| seen.reading.status == Status::Completed);
        let mut completed = completed.peekable();
        match finals.first().map(|seen| seen.reading.status) {
            Some(Status::Failed) => f.failed += 1,
            Some(_) => f.completed += 1,
            None => {}
        }
        if completed.peek().is_some() {
            let with_amount = completed.find_map(|seen| {
                Some((seen.reading.currency.as_deref().unwrap_or("USD"), seen.reading.amount?))
            });
            if let Some((currency, amount)) = with_amount {
                add(&mut f.paid, currency, amount);
            }
        }
    }
}

fn queue_figures(index: &Index<'_>, f: &mut Figures) {
    for life in &index.messages {
        let times = life.operations.len().max(1);
        let twice = life.emails.len().saturating_sub(times);
        f.queue_twice += twice;
        if queue::published(index, life).is_some() {
            let lost = !queue::was_dealt_with(index, life);
            f.queue_published += 1;
            f.queue_lost += usize::from(lost);
            f.queue_once += usize::from(!lost && twice == 0);
        }
    }
}

/// A sum that cannot be kept exactly stops growing; 28 digits are enough for 10^13 payments.
fn add(sums: &mut BTreeMap<String, Amount>, currency: &str, amount: Amount) {
    let sum = sums.entry(currency.to_owned()).or_default();
    *sum = sum.checked_add(amount).unwrap_or(*sum);
}

/// `10.00 EUR, 9.99 USD`; `nothing` where there is none.
pub(in crate::e2e) struct Sums<'a>(pub(in crate::e2e) &'a BTreeMap<String, Amount>);

impl fmt::Display for Sums<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (n, (currency, amount)) in self.0.iter().enumerate() {
            write!(f, "{}{amount} {currency}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Figures {
    /// For people: what became of payments, of queue messages, and how long the faults were felt.
    /// A history without any of these has no line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.payments > 0 {
            lines.push(format!(
                "{}: {} acknowledged, {} completed, {} failed, {} lost, {} charged twice; {}",
                counted(self.payments, "payment"),
                self.acknowledged,
                self.completed,
                self.failed,
                self.lost,
                self.charged_twice,
                self.sums(),
            ));
        }
        if self.dead_letters > 0 || self.redelivered > 0 {
            lines.push(format!(
                "{}, {} of them conflicts; {}, {} of them again",
                counted(self.dead_letters, "dead letter"),
                self.conflicts,
                counted(self.deliveries, "delivery"),
                self.redelivered
            ));
        }
        if self.queue_published > 0 {
            lines.push(format!(
                "{}: {} dealt with once, {} lost (core NATS keeps nothing), {} twice",
                counted(self.queue_published, "queue message"),
                self.queue_once,
                self.queue_lost,
                self.queue_twice
            ));
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

    fn sums(&self) -> String {
        if self.charged == self.paid {
            return format!("charged {}, to the cent what is completed", Sums(&self.charged));
        }
        format!("charged {}, completed {}", Sums(&self.charged), Sums(&self.paid))
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
