//! The run in numbers: what was done, what was lost, what came twice, how long it took.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    amount::Amount,
    check::queue,
    event::{Kind, Phase, Status},
    index::{Ended, Index},
};
use crate::wire::journal::ChargeOutcome;

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
    /// Queue messages that the broker took.
    pub queue_published: usize,
    /// Of those, the ones that no worker is known to have had; core NATS allows it.
    pub queue_lost: usize,
    /// Queue messages and emails beyond the first of their kind.
    pub queue_twice: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Faults that were begun.
    pub faults: usize,
    /// The longest time between two acknowledged writes (submits and publishes), nanoseconds.
    pub longest_write_gap_ns: Option<u64>,
    /// From the end of the last fault until everything was final, nanoseconds; absent without
    /// faults, or where not everything is final.
    pub last_fault_to_final_ns: Option<u64>,
}

pub(super) fn figures(index: &Index<'_>) -> Figures {
    let mut f = Figures {
        operations: index.operations.len(),
        deliveries: index.deliveries.len(),
        dead_letters: index.dead_letters.len(),
        ..Figures::default()
    };
    let mut last_write: Option<u64> = None;
    let mut writes: Vec<u64> = Vec::new();
    for operation in &index.operations {
        match operation.ended() {
            Ended::Ok => f.ok += 1,
            Ended::Fail => f.fail += 1,
            Ended::Unknown => f.unknown += 1,
        }
        let is_write = matches!(operation.invoke.kind, Kind::Submit | Kind::Publish);
        if let (true, Ended::Ok, Some(returned)) = (is_write, operation.ended(), operation.returned)
        {
            writes.push(returned.at_ns);
        }
    }
    writes.sort_unstable();
    for at_ns in writes {
        if let Some(before) = last_write {
            let gap = at_ns - before;
            f.longest_write_gap_ns = Some(f.longest_write_gap_ns.unwrap_or(0).max(gap));
        }
        last_write = Some(at_ns);
    }
    let all_final_at = payments(index, &mut f);
    queue_figures(index, &mut f);
    f.faults = index.faults.iter().filter(|(_, fault)| fault.phase == Phase::Begin).count();
    let last_fault = index.faults.iter().map(|(event, _)| event.at_ns).max();
    if let (Some(fault), Some(at_ns)) = (last_fault, all_final_at) {
        f.last_fault_to_final_ns = Some(at_ns.saturating_sub(fault));
    }
    f
}

/// Counts payments; returns when the last of them was first seen to be final, if all are.
fn payments(index: &Index<'_>, f: &mut Figures) -> Option<u64> {
    let mut all_final_at = Some(0);
    for life in &index.payments {
        let submits = || life.submits.iter().map(|at| &index.operations[*at]);
        let finals = index.finals(life);
        let acknowledged = submits().any(|operation| operation.ended() == Ended::Ok);
        f.payments += usize::from(!life.submits.is_empty());
        f.acknowledged += usize::from(acknowledged);
        let final_at = finals.iter().map(|seen| seen.at_ns).min();
        match final_at {
            Some(at_ns) => all_final_at = all_final_at.map(|last| at_ns.max(last)),
            None if acknowledged => {
                f.lost += 1;
                all_final_at = None;
            }
            None => {}
        }
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
    all_final_at.filter(|_| f.payments > 0)
}

fn queue_figures(index: &Index<'_>, f: &mut Figures) {
    for life in &index.messages {
        f.queue_twice += life.emails.len().saturating_sub(life.operations.len().max(1));
        if queue::published(index, life).is_some() {
            f.queue_published += 1;
            f.queue_lost += usize::from(!queue::was_delivered(life));
        }
    }
}

/// A sum that cannot be kept exactly stops growing; 28 digits are enough for 10^13 payments.
fn add(sums: &mut BTreeMap<String, Amount>, currency: &str, amount: Amount) {
    let sum = sums.entry(currency.to_owned()).or_default();
    *sum = sum.checked_add(amount).unwrap_or(*sum);
}

/// `10.00 EUR, 9.99 USD`; `nothing` where there is none.
pub(super) struct Sums<'a>(pub(super) &'a BTreeMap<String, Amount>);

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

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} operations: {} ok, {} fail, {} unknown; {} faults",
            self.operations, self.ok, self.fail, self.unknown, self.faults
        )?;
        if self.payments > 0 {
            writeln!(
                f,
                "{} payments: {} acknowledged, {} lost, {} charged twice, {} completed, {} failed, {} dead letters",
                self.payments,
                self.acknowledged,
                self.lost,
                self.charged_twice,
                self.completed,
                self.failed,
                self.dead_letters
            )?;
            writeln!(f, "charged {}; completed {}", Sums(&self.charged), Sums(&self.paid))?;
        }
        if self.queue_published > 0 {
            writeln!(
                f,
                "{} queue messages: {} lost (core NATS keeps nothing), {} twice",
                self.queue_published, self.queue_lost, self.queue_twice
            )?;
        }
        if let Some(gap_ns) = self.longest_write_gap_ns {
            writeln!(f, "longest gap between acknowledged writes: {:?}", rounded(gap_ns))?;
        }
        if let Some(ns) = self.last_fault_to_final_ns {
            writeln!(f, "from the last fault until everything was final: {:?}", rounded(ns))?;
        }
        Ok(())
    }
}

/// To a tenth of a millisecond.
fn rounded(ns: u64) -> Duration {
    Duration::from_micros(ns / 100_000 * 100)
}
