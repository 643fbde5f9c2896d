//! Nothing happens that nobody asked for: charges, outcomes, dead letters, deliveries and emails each
//! have an operation that they are of, and that may have arrived.

use std::time::Duration;

use crate::e2e::record::history::{Event, OPERATIONS};
use crate::e2e::verdict::index::{Ended, Operation};
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::lives::{Charge, Lives, MessageLife, Outcome, Payment, PaymentLife};
use crate::proof::promises::acknowledged::same_content;
use crate::wire::journal::ChargeOutcome;

/// The promise.
pub const ASKED: Property =
    Property { word: "asked", says: "nothing happens that nobody asked for" };

/// A client's operations are timed by the run's own clock, and journals by the wall's.
const CLOCKS: Duration = Duration::from_secs(1);

/// `None` where somebody acted unseen: then nothing can be said of it.
pub(crate) fn check(lives: &Lives<'_, '_>) -> Option<Finding> {
    let end = lives.index.end_with_whole(OPERATIONS)?;
    let mut asked = Asked { lives, end, findings: Findings::default() };
    for life in &lives.payments {
        for (event, charge) in &life.charges {
            if charge.outcome == ChargeOutcome::Approved {
                asked.charge(life, event, charge);
            }
        }
        life.outcomes.iter().for_each(|(event, outcome)| asked.outcome(life, event, outcome));
    }
    asked.letters();
    lives.messages.iter().for_each(|life| asked.message(life));
    Some(asked.findings.finish(ASKED))
}

struct Asked<'l, 'i, 'a> {
    lives: &'l Lives<'i, 'a>,
    end: &'a Event,
    findings: Findings,
}

impl Asked<'_, '_, '_> {
    fn broken(&mut self, breach: &'static str, message: String, evidence: Vec<&Event>) {
        let evidence = copies(evidence.into_iter().chain([self.end]));
        self.findings.broken(breach, message, evidence, []);
    }

    fn charge(&mut self, life: &PaymentLife<'_, '_>, event: &Event, charge: &Charge<'_>) {
        self.findings.looked_at += 1;
        let id = &life.id;
        let charged = format!("{id} was charged {} {}", charge.amount, charge.currency);
        let Some(first) = life.submitting().next() else {
            if !self.lives.unnamed.may_be_a_payment {
                let message = format!("{charged}, and nobody submitted it");
                self.broken(breach::CHARGED_UNASKED, message, vec![event]);
            }
            return;
        };
        if event.at_ns.saturating_add(CLOCKS.as_nanos() as u64) < first.begun.at_ns {
            let message = format!("{charged} before it was submitted");
            self.broken(breach::CHARGED_EARLY, message, vec![event, first.begun]);
        }
        let mut of = submits_for(life, |payment| is_for(charge, payment));
        let Some(submit) = of.clone().next() else {
            let number = life.submits.len();
            let message = format!("{charged}, and none of its {number} submits is for that");
            self.broken(breach::CHARGED_OTHER, message, vec![event, first.begun]);
            return;
        };
        if of.all(|submit| submit.ended() == Ended::Fail) {
            let message = format!("{id} was charged, and its submit certainly did not happen");
            let evidence = submit.events().into_iter().chain([event]).collect();
            self.broken(breach::HAPPENED_AFTER_FAIL, message, evidence);
        }
    }

    fn outcome(&mut self, life: &PaymentLife<'_, '_>, event: &Event, outcome: &Outcome<'_>) {
        self.findings.looked_at += 1;
        if self.lives.unnamed.may_be(outcome.sequence) {
            return;
        }
        let (id, status) = (&life.id, outcome.reading.status);
        let Some(first) = life.submitting().next() else {
            let message = format!("{id} is {status} in the ledger, and nobody submitted it");
            self.broken(breach::OUTCOME_UNASKED, message, vec![event]);
            return;
        };
        let mut of =
            submits_for(life, |payment| same_content(payment, &outcome.reading) != Some(false));
        let Some(submit) = of.clone().next() else {
            let message = format!(
                "{id} is {status} in the ledger with content that none of its {} submits has",
                life.submits.len()
            );
            self.broken(breach::OUTCOME_OTHER, message, vec![event, first.begun]);
            return;
        };
        if of.all(|submit| submit.ended() == Ended::Fail) {
            let message =
                format!("{id} is {status} in the ledger, and its submit certainly did not happen");
            let evidence = submit.events().into_iter().chain([event]).collect();
            self.broken(breach::HAPPENED_AFTER_FAIL, message, evidence);
        }
    }

    /// By their message's sequence: acknowledged with it, or not known to have failed.
    fn letters(&mut self) {
        let lives = self.lives;
        for (event, letter) in &lives.dead_letters {
            let Some(sequence) = letter.sequence else { continue };
            self.findings.looked_at += 1;
            let life = letter.payment_id.as_deref().and_then(|id| lives.of_payment(id));
            let is_it = |submit: &Operation<'_>| match submit.ended() {
                Ended::Ok => {
                    submit.reply().is_none_or(|r| r.sequence.is_none_or(|s| s == sequence))
                }
                Ended::Fail => false,
                Ended::Unknown => true,
            };
            let named = life.is_some_and(|life| life.submitting().any(is_it));
            if !named && !lives.unnamed.may_be(Some(sequence)) {
                let message = format!(
                    "there is a dead letter of message {sequence}, and nobody submitted that"
                );
                self.broken(breach::LETTER_UNASKED, message, vec![event]);
            }
        }
    }

    fn message(&mut self, life: &MessageLife<'_, '_>) {
        let seen = life.deliveries.len() + life.emails.len();
        self.findings.looked_at += seen;
        if seen == 0 || life.operations.iter().any(|operation| operation.ended() != Ended::Fail) {
            return;
        }
        let email = life.emails.first().map(|(event, _)| *event);
        let delivery = life.deliveries.first().map(|(event, _)| *event);
        if let Some(failed) = life.operations.first() {
            let message =
                format!("{} was handed to a worker, and its publish did not happen", life.id);
            let evidence = failed.events().into_iter().chain(email.or(delivery)).collect();
            self.broken(breach::HAPPENED_AFTER_FAIL, message, evidence);
        } else if !self.lives.unnamed.may_be_an_email {
            if let Some(email) = email {
                let message = format!("{} was sent, and nobody published it", life.id);
                self.broken(breach::EMAIL_UNASKED, message, vec![email]);
            }
            if let Some(delivery) = delivery {
                let message = format!("{} was delivered, and nobody published it", life.id);
                self.broken(breach::DELIVERED_UNASKED, message, vec![delivery]);
            }
        }
    }
}

/// The operations that submitted what something may be for.
fn submits_for<'l, 'i, 'a>(
    life: &'l PaymentLife<'i, 'a>,
    is_for: impl Fn(&Payment<'a>) -> bool + Clone,
) -> impl Iterator<Item = &'i Operation<'a>> + Clone {
    let of = life.submits.iter().filter(move |submit| is_for(&submit.payment));
    of.map(|submit| submit.operation)
}

/// A charge is for a submit: the same content where both have one, and the same money.
fn is_for(charge: &Charge<'_>, payment: &Payment<'_>) -> bool {
    let content = charge.content.as_ref().zip(payment.content.as_ref()).is_none_or(|(a, b)| a == b);
    let amount = payment.amount.is_none_or(|amount| amount == charge.amount);
    let currency = payment.currency.as_ref().is_none_or(|c| *c == charge.currency);
    content && amount && currency
}
