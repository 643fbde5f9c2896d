//! No effect happens twice: at most one approved charge a payment, and completed exactly where there
//! is one, for the same money. The gateway's journal is the oracle.

use crate::counted::counted;
use crate::e2e::record::history::Event;
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::amount::Amount;
use crate::proof::breach;
use crate::proof::facts::{CHARGES, OUTCOMES, Status};
use crate::proof::lives::{Charge, Final, Lives, PaymentLife};
use crate::wire::journal::ChargeOutcome;

/// The promise.
pub const ONCE: Property = Property { word: "once", says: "no effect happens twice" };

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    let mut completed_unproved = 0;
    for life in &lives.payments {
        let is_approved =
            |(_, charge): &&(&Event, Charge<'_>)| charge.outcome == ChargeOutcome::Approved;
        let approved = || life.charges.iter().filter(is_approved);
        let times = approved().count();
        findings.looked_at += times;
        let one = One { lives, life };
        if let Some((second, _)) = approved().nth(1) {
            let message = format!("{} was charged {times} times, not once", life.id);
            let evidence =
                copies(approved().next().map(|(first, _)| *first).into_iter().chain([*second]));
            findings.broken(breach::CHARGED_TWICE, message, evidence, one.submits());
        }
        match approved().next() {
            Some((event, charge)) => one.charged(event, charge, &mut findings),
            None => one.uncharged(&mut findings, &mut completed_unproved),
        }
    }
    let submitted = lives.payments.iter().any(|life| !life.submits.is_empty());
    if submitted && lives.index.end_with_whole(CHARGES).is_none() {
        findings.unknown(format!(
            "the gateway's journal is not whole in this history; completed without a charge on record: {}",
            counted(completed_unproved, "payment")
        ));
    }
    findings.finish(ONCE)
}

/// One payment.
struct One<'l, 'i, 'a> {
    lives: &'l Lives<'i, 'a>,
    life: &'l PaymentLife<'i, 'a>,
}

impl<'l, 'a> One<'l, '_, 'a> {
    /// The first of them, for people.
    fn submits(&self) -> Vec<Event> {
        copies(self.life.submitting().take(4).flat_map(|operation| operation.events()))
    }

    fn is(&self, status: Status) -> Option<Final<'l, 'a>> {
        self.life.finals().find(|seen| seen.reading.status == status)
    }

    /// Charged: completed, never failed, for the same amount.
    fn charged(&self, event: &Event, charge: &Charge<'_>, findings: &mut Findings) {
        let id = &self.life.id;
        if charge.amount <= Amount::default() {
            let message = format!("{id} was charged {} {}", charge.amount, charge.currency);
            findings.broken(breach::CHARGED_NOTHING, message, copies([event]), self.submits());
        }
        if let Some(failed) = self.is(Status::Failed) {
            let message = format!("{id} is failed, and was charged");
            let evidence = copies(failed.shown_by().chain([event]));
            findings.broken(breach::FAILED_CHARGED, message, evidence, self.submits());
        }
        let other = self
            .life
            .finals()
            .find(|seen| seen.reading.status == Status::Completed && !same_money(charge, seen));
        if let Some(completed) = other {
            let message = format!(
                "{id} was charged {} {}, and is completed for {} {}",
                charge.amount,
                charge.currency,
                completed.reading.amount.unwrap_or_default(),
                completed.reading.currency.as_deref().unwrap_or_default()
            );
            let evidence = copies(completed.shown_by().chain([event]));
            findings.broken(breach::COMPLETED_OTHER, message, evidence, self.submits());
        }
        if self.life.finals().next().is_none() {
            match self.lives.index.end_with_whole(OUTCOMES) {
                Some(end) => {
                    let message = format!("{id} was charged, and has no final outcome");
                    let evidence = copies([event, end]);
                    findings.broken(breach::CHARGED_WITHOUT_OUTCOME, message, evidence, self.submits());
                }
                None => findings.unknown(format!(
                    "{id} was charged, and has no final outcome here; the outcomes were not all read"
                )),
            }
        }
    }

    fn uncharged(&self, findings: &mut Findings, unproved: &mut usize) {
        let Some(completed) = self.is(Status::Completed) else { return };
        match self.lives.index.end_with_whole(CHARGES) {
            Some(end) => {
                let message = format!("{} is completed, and was never charged", self.life.id);
                let evidence = copies(completed.shown_by().chain([end]));
                findings.broken(breach::COMPLETED_UNCHARGED, message, evidence, self.submits());
            }
            None => *unproved += 1,
        }
    }
}

fn same_money(charge: &Charge<'_>, seen: &Final<'_, '_>) -> bool {
    let is = |amount: Amount| amount == charge.amount;
    seen.reading.amount.is_none_or(is)
        && seen.reading.currency.as_ref().is_none_or(|c| **c == *charge.currency)
}
