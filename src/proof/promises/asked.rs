//! Nothing happens that nobody asked for: charges, outcomes, dead letters, deliveries and emails each
//! have an operation that they are of, and that may have arrived.

use std::collections::{HashMap, HashSet};

use crate::e2e::record::history::{DUPLICATE, Delivery, Event, OPERATIONS, Reply};
use crate::e2e::verdict::index::{Ended, Operation};
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::lives::{Charge, Lives, MessageLife, Outcome, Payment, PaymentLife};
use crate::proof::promises::acknowledged::same_content;
use crate::wire::journal::ChargeOutcome;
use crate::wire::subjects::PAYMENT_PROCESS;

/// The promise.
pub const ASKED: Property =
    Property { word: "asked", says: "nothing happens that nobody asked for" };

/// `None` where somebody acted unseen: then nothing can be said of it.
pub(crate) fn check(lives: &Lives<'_, '_>) -> Option<Finding> {
    let end = lives.index.end_with_whole(OPERATIONS)?;
    let mut hits = lives.index.faults.iter().filter_map(|(_, fault)| fault.hit.as_ref());
    let doubled = hits.any(|hit| hit.fate == DUPLICATE);
    let mut asked = Asked { lives, end, doubled, findings: Findings::default() };
    for life in &lives.payments {
        for (event, charge) in &life.charges {
            asked.charge(life, event, charge);
        }
        life.outcomes.iter().for_each(|(event, outcome)| asked.outcome(life, event, outcome));
    }
    asked.letters();
    for (event, delivery) in &lives.index.deliveries {
        asked.of_the_stream(event, delivery);
    }
    lives.messages.iter().for_each(|life| asked.message(life));
    Some(asked.findings.finish(ASKED))
}

struct Asked<'l, 'i, 'a> {
    lives: &'l Lives<'i, 'a>,
    end: &'a Event,
    /// A fault doubled messages: one submit may be stored as two.
    doubled: bool,
    findings: Findings,
}

impl Asked<'_, '_, '_> {
    fn broken(&mut self, breach: &'static str, message: String, evidence: Vec<&Event>) {
        let evidence = copies(evidence.into_iter().chain([self.end]));
        self.findings.broken(breach, message, evidence, []);
    }

    /// Whether it happened before an operation began, by more than two clocks may differ.
    fn is_before(&self, event: &Event, operation: &Operation<'_>) -> bool {
        self.lives.index.clocks().before(event, operation.begun).is_some()
    }

    fn charge(&mut self, life: &PaymentLife<'_, '_>, event: &Event, charge: &Charge<'_>) {
        self.findings.looked_at += 1;
        let id = &life.id;
        let what = match charge.outcome {
            ChargeOutcome::Approved => "was charged",
            ChargeOutcome::Declined => "was declined for",
            ChargeOutcome::Unavailable => "was tried for",
            ChargeOutcome::Cancelled => "was cancelled for",
        };
        let charged = format!("{id} {what} {} {}", charge.amount, charge.currency);
        let Some(first) = life.submitting().next() else {
            if !self.lives.unnamed.may_be_a_payment {
                let message = format!("{charged}, and nobody submitted it");
                self.broken(breach::CHARGED_UNASKED, message, vec![event]);
            }
            return;
        };
        if self.is_before(event, first) {
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
            let message = format!("{charged}, and its submit certainly did not happen");
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
        if self.is_before(event, first) {
            let message = format!("{id} is {status} in the ledger before it was submitted");
            self.broken(breach::EARLY, message, vec![event, first.begun]);
        }
        if let Some(sequence) = outcome.sequence.filter(|_| !self.doubled)
            && life.submitting().any(|submit| submit.ended() != Ended::Fail)
            && !life.submitting().any(|submit| may_be(submit, sequence))
        {
            let message = format!(
                "{id} is {status} in the ledger as the outcome of message {sequence}, and none of its \
                 submits is that"
            );
            self.broken(breach::OUTCOME_UNASKED, message, vec![event]);
            return;
        }
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
        let stored = lives.stored();
        // Of each payment, the messages that can only be submits of unknown outcome.
        let mut guessed: HashMap<&str, HashSet<u64>> = HashMap::new();
        for (event, letter) in &lives.dead_letters {
            self.findings.looked_at += 1;
            let life = letter.payment_id.as_deref().and_then(|id| lives.of_payment(id));
            let life = life.filter(|life| !life.submits.is_empty());
            if let Some(first) = life.and_then(|life| life.submitting().next())
                && self.is_before(event, first)
            {
                let message = "there is a dead letter of what was submitted only later".to_owned();
                self.broken(breach::EARLY, message, vec![event, first.begun]);
            }
            let Some(sequence) = letter.sequence else {
                // Of an email, it says so.
                if life.is_none() && letter.message.is_none() && !lives.unnamed.is_any() {
                    let of = letter.payment_id.as_deref().unwrap_or("no payment");
                    let message =
                        format!("there is a dead letter of {of}, and nobody submitted that");
                    self.broken(breach::LETTER_UNASKED, message, vec![event]);
                }
                continue;
            };
            if let Some((owner, submit)) = stored.get(&sequence) {
                let of_another = letter.payment_id.as_ref().is_some_and(|id| *id != owner.id);
                let contents = letter.content.as_ref().zip(submit.payment.content.as_ref());
                if of_another || contents.is_some_and(|(a, b)| a != b) {
                    let message = format!(
                        "the dead letter of message {sequence} has another payment or content than that, \
                         which is of {}",
                        owner.id
                    );
                    let evidence = submit.operation.events().into_iter().chain([*event]).collect();
                    self.broken(breach::LETTER_OTHER, message, evidence);
                }
            }
            let may_be_it = |life: &PaymentLife<'_, '_>| {
                life.submitting().any(|submit| may_be(submit, sequence))
            };
            let known = |life: &PaymentLife<'_, '_>| {
                let mut acknowledged = life.submitting().filter_map(|submit| submit.reply());
                acknowledged.any(|reply| reply.sequence == Some(sequence))
            };
            let mut named = life.is_some_and(may_be_it);
            if let Some(life) = life.filter(|life| named && !self.doubled && !known(life)) {
                let guessed = guessed.entry(&life.id).or_default();
                guessed.insert(sequence);
                let open = life.submitting().filter(|submit| may_be(submit, u64::MAX));
                named = guessed.len() <= open.count();
            }
            if !named && !lives.unnamed.may_be(Some(sequence)) {
                let message = format!(
                    "there is a dead letter of message {sequence}, and nobody submitted that"
                );
                self.broken(breach::LETTER_UNASKED, message, vec![event]);
            }
        }
    }

    /// A message of the stream of payments that a worker had.
    fn of_the_stream(&mut self, event: &Event, delivery: &Delivery) {
        let Some(sequence) = delivery.sequence else { return };
        if delivery.subject != PAYMENT_PROCESS || self.lives.unnamed.may_be(Some(sequence)) {
            return;
        }
        self.findings.looked_at += 1;
        let payment = self.lives.of_payment(&delivery.message);
        let message = self.lives.of_message(&delivery.message);
        let submits = payment.into_iter().flat_map(|life| life.submitting());
        let mut all = submits.chain(message.into_iter().flat_map(|m| m.operations.iter().copied()));
        let doubled = self.doubled;
        if !all.any(|one| may_be(one, sequence) || (doubled && one.ended() != Ended::Fail)) {
            let message = format!(
                "{} was delivered as message {sequence}, and nobody submitted that",
                delivery.message
            );
            self.broken(breach::DELIVERED_UNASKED, message, vec![event]);
        }
    }

    /// A message is delivered where it was published, and not before that.
    fn elsewhere_or_early(&mut self, life: &MessageLife<'_, '_>) {
        let Some(first) = life.operations.first() else { return };
        let of = |subject: &str| {
            let mut all = life.operations.iter();
            all.any(|one| one.ended() != Ended::Fail && one.invoke.subject == subject)
        };
        if let Some((event, delivery)) = life.deliveries.iter().find(|(_, d)| !of(&d.subject)) {
            let message = format!(
                "{} was delivered on {}, and published on {}",
                life.id, delivery.subject, first.invoke.subject
            );
            self.broken(breach::DELIVERED_ELSEWHERE, message, vec![*event, first.begun]);
        }
        let deliveries = life.deliveries.iter().map(|(event, _)| *event);
        let mut all = deliveries.chain(life.emails.iter().map(|(event, _)| *event));
        if let Some(event) = all.find(|event| self.is_before(event, first)) {
            let message = format!("a worker had {} before it was published", life.id);
            self.broken(breach::EARLY, message, vec![event, first.begun]);
        }
    }

    fn message(&mut self, life: &MessageLife<'_, '_>) {
        let seen = life.deliveries.len() + life.emails.len();
        self.findings.looked_at += seen;
        if seen == 0 {
            return;
        }
        if life.operations.iter().any(|operation| operation.ended() != Ended::Fail) {
            self.elsewhere_or_early(life);
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

/// Whether a submit may be this message of the stream. A client that was told of a duplicate may have
/// stored its own under another id.
fn may_be(submit: &Operation<'_>, sequence: u64) -> bool {
    let is_it = |reply: &Reply| reply.duplicate || reply.sequence.is_none_or(|s| s == sequence);
    match submit.ended() {
        Ended::Ok => submit.reply().is_none_or(is_it),
        Ended::Fail => false,
        Ended::Unknown => true,
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
