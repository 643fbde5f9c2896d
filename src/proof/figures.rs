//! Payments and emails in numbers.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

use super::amount::Amount;
use super::facts::{CONFLICT, Status};
use super::lives::Lives;
use super::promises::queue;
use crate::counted::counted;
use crate::wire::journal::ChargeOutcome;

/// Payments and emails in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
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
}

pub(super) fn figures(lives: &Lives<'_, '_>) -> Figures {
    let conflicts = lives.dead_letters.iter().filter(|(_, letter)| *letter.kind == *CONFLICT);
    let mut f = Figures {
        dead_letters: lives.dead_letters.len(),
        conflicts: conflicts.count(),
        ..Figures::default()
    };
    payments(lives, &mut f);
    queue_figures(lives, &mut f);
    f
}

fn payments(lives: &Lives<'_, '_>, f: &mut Figures) {
    for life in &lives.payments {
        let acknowledged = life.acknowledged().next().is_some();
        f.payments += usize::from(!life.submits.is_empty());
        f.acknowledged += usize::from(acknowledged);
        f.lost += usize::from(acknowledged && life.finals().next().is_none());
        let approved = life.charges.iter().map(|(_, charge)| charge);
        let mut times = 0;
        for charge in approved.filter(|charge| charge.outcome == ChargeOutcome::Approved) {
            times += 1;
            add(&mut f.charged, &charge.currency, charge.amount);
        }
        f.charges += times;
        f.charged_twice += times.saturating_sub(1);
        let completed = life.finals().filter(|seen| seen.reading.status == Status::Completed);
        let mut completed = completed.peekable();
        match life.finals().next().map(|seen| seen.reading.status) {
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

fn queue_figures(lives: &Lives<'_, '_>, f: &mut Figures) {
    for life in &lives.messages {
        let times = life.operations.len().max(1);
        let twice = life.emails.len().saturating_sub(times);
        f.queue_twice += twice;
        if queue::published(life).is_some() {
            let lost = !queue::was_dealt_with(lives, life);
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

impl Figures {
    /// By name.
    pub(super) fn named(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(named)) => named,
            _ => Map::new(),
        }
    }

    /// For people: what became of payments, of what was set aside, of queue messages. Without any of
    /// these there is no line.
    pub(super) fn lines(&self) -> Vec<String> {
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
        if self.dead_letters > 0 {
            let letters = counted(self.dead_letters, "dead letter");
            lines.push(format!("{letters}, {} of them conflicts", self.conflicts));
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
        lines
    }

    fn sums(&self) -> String {
        if self.charged == self.paid {
            return format!("charged {}, to the cent what is completed", Sums(&self.charged));
        }
        format!("charged {}, completed {}", Sums(&self.charged), Sums(&self.paid))
    }
}
