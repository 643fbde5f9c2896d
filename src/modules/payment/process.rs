//! What is done with a payment: claimed, charged, committed, or given up.

use std::sync::Arc;
use std::time::Duration;

use super::crash::{CrashPoints, Step};
use super::gateway::{Charge, Gateway, Outcome};
use super::id::PaymentId;
use super::ledger::{Claim, Commit, Ledger, LedgerError};
use super::order::Order;
use super::sabotage::{Sabotage, Saboteur};
use super::salvage::usable_id;
use super::service;
use super::service::Payment;
use super::types::{Entry, Intent, PaymentRequest, Status};
use crate::modules::{deliveries::Deliveries, journal::JournalError};
use crate::mono::{DeadKind, Delivery, Failure, Letter, Object, Settled, StreamHandler};
use crate::wire::journal::DeliveryRecord;

/// The steps C to F of PAYMENTS.md; the framework does B and G.
pub(super) struct Process {
    pub(super) ledger: Ledger,
    pub(super) order: Order,
    pub(super) gateway: Arc<Gateway>,
    pub(super) gateway_timeout: Duration,
    pub(super) crash: Arc<CrashPoints>,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) deliveries: Deliveries,
}

impl StreamHandler for Process {
    type Message = Object<PaymentRequest>;

    async fn handle(
        &self,
        Object(request): Object<PaymentRequest>,
        delivery: &Delivery,
    ) -> Result<(), Failure> {
        self.deliveries.note(|at| noted(at, &request.payment_id, delivery)).await;
        self.crash.reach(Step::B, &request.payment_id).await;
        let payment = Payment::check(&request).map_err(|e| Failure::Dead(DeadKind::Rejected, e))?;
        if let Some(kind) = self.sabotage.filter(|kind| kind.breaks_processing()) {
            let Self { ledger, gateway, crash, .. } = self;
            let saboteur = Saboteur { ledger, gateway, crash, payment: &payment, delivery };
            return Box::pin(saboteur.handle(kind)).await;
        }
        let id = payment.id.as_str();
        self.crash.reach(Step::C, id).await;
        let content = payment.content();
        let intent = payment.intent(content.clone(), &delivery.worker, now());
        match self.claim(&payment.id, &intent, delivery).await? {
            Claim::Mine => {}
            Claim::Other => return Err(conflict(&payment.id)),
            // Somebody began: finished, at work on it now, or dead. The charge is idempotent.
            Claim::Same => {
                if let Some(entry) = Box::pin(self.ledger.entry(&payment.id)).await? {
                    if wants_letter_of(&entry, delivery) {
                        return Err(Failure::Dead(DeadKind::Exhausted, entry.message));
                    }
                    self.crash.reach(Step::F, id).await;
                    return Ok(());
                }
            }
        }
        self.crash.reach(Step::D, id).await;
        let charge = charge(&payment, &content, delivery);
        let outcome = self.gateway.charge(&charge, self.gateway_timeout).await?;
        self.crash.reach(Step::E, id).await;
        if let Outcome::Cancelled(reason) = outcome {
            // Given up before, by a process that ended before the entry: with its letter now.
            return Err(Failure::Dead(DeadKind::Exhausted, reason));
        }
        self.record(&payment, content, outcome, delivery).await?;
        self.crash.reach(Step::F, id).await;
        Ok(())
    }

    async fn acknowledged(&self, delivery: &Delivery) {
        if !self.crash.may_come(Step::G) {
            return;
        }
        let Some(id) = usable_id(&delivery.body) else { return };
        if self.crash.due(Step::G, id.as_str()).await {
            // The acknowledgement is only queued here; the crash is to come after it was sent.
            let _ = self.ledger.connection().barrier(Duration::from_secs(1)).await;
            std::process::abort();
        }
    }

    async fn give_up(
        &self,
        delivery: &Delivery,
        kind: DeadKind,
        reason: &str,
        letter: &Letter<'_>,
    ) -> Result<Settled, Failure> {
        if self.sabotage == Some(Sabotage::NoLetter) {
            return Ok(Settled::Done);
        }
        match kind {
            DeadKind::Conflict => Ok(Settled::Bury),
            DeadKind::Malformed | DeadKind::Rejected => self.refuse(delivery, reason, letter).await,
            DeadKind::Exhausted => self.abandon(delivery, reason, letter).await,
        }
    }
}

impl Process {
    /// Claims the id, in its turn: content that was acknowledged earlier comes first.
    async fn claim(
        &self,
        id: &PaymentId,
        intent: &Intent,
        delivery: &Delivery,
    ) -> Result<Claim, Failure> {
        self.order.turn(delivery.sequence, id, &intent.content).await?;
        let claim = self.ledger.claim(id, intent).await?;
        self.order.claimed(id);
        Ok(claim)
    }

    /// Commits what the gateway said.
    async fn record(
        &self,
        payment: &Payment,
        content: String,
        outcome: Outcome,
        delivery: &Delivery,
    ) -> Result<(), Failure> {
        let (status, message) = match outcome {
            Outcome::Approved => (Status::Completed, "Payment processed successfully".to_owned()),
            Outcome::Declined(reason) => (Status::Failed, format!("Payment declined: {reason}")),
            Outcome::Cancelled(reason) => (Status::Failed, format!("Payment failed: {reason}")),
            Outcome::Unavailable(reason) => return Err(Failure::Retry(reason)),
            // The claim is ours, so the key was used outside this ledger: a journal kept longer
            // than its store. Nothing was charged for this content.
            Outcome::KeyReused => (Status::Failed, KEY_REUSED.to_owned()),
        };
        let (said, worker) = ((status, message), &delivery.worker);
        let entry = payment.entry(content, said, delivery.sequence, worker, now());
        match self.ledger.commit(&payment.id, &entry).await? {
            Commit::Done => Ok(()),
            Commit::Exists(found) if found.content == entry.content => Ok(()),
            Commit::Exists(_) => Err(conflict(&payment.id)),
        }
    }

    /// A message that cannot be accepted: where its id is usable and free, the payment is failed.
    async fn refuse(
        &self,
        delivery: &Delivery,
        reason: &str,
        letter: &Letter<'_>,
    ) -> Result<Settled, Failure> {
        let Some(id) = usable_id(&delivery.body) else {
            self.order.passed(delivery.sequence);
            return Ok(Settled::Bury);
        };
        let content = service::raw_content(&delivery.body);
        let (worker, at) = (delivery.worker.to_string(), now());
        let intent = Intent {
            payment_id: id.to_string(),
            content: content.clone(),
            amount: None,
            currency: None,
            worker: worker.clone(),
            at: at.clone(),
        };
        // The claim keeps a good request of the same id, charged at this moment, from being
        // recorded as failed.
        if self.claim(&id, &intent, delivery).await? == Claim::Other {
            return Ok(Settled::Bury);
        }
        let entry = Entry {
            payment_id: id.to_string(),
            status: Status::Failed,
            message: format!("Payment rejected: {reason}"),
            content,
            amount: None,
            currency: None,
            user_id: None,
            subscription_id: None,
            request_sequence: delivery.sequence,
            worker,
            at,
        };
        // The letter comes before the entry: an outcome without its letter would be missed for ever.
        letter.file().await?;
        self.ledger.commit(&id, &entry).await?;
        Ok(Settled::Bury)
    }

    /// A payment out of deliveries: its key is closed first, so that `failed` is the truth even if
    /// an earlier charge is still under way somewhere.
    async fn abandon(
        &self,
        delivery: &Delivery,
        reason: &str,
        letter: &Letter<'_>,
    ) -> Result<Settled, Failure> {
        let payment = crate::mono::decode::<Object<PaymentRequest>>(&delivery.body)
            .and_then(|Object(request)| Payment::check(&request));
        let Ok(payment) = payment else { return self.refuse(delivery, reason, letter).await };
        let content = payment.content();
        let intent = payment.intent(content.clone(), &delivery.worker, now());
        match self.claim(&payment.id, &intent, delivery).await? {
            Claim::Other => return Ok(Settled::Bury),
            Claim::Mine => {}
            Claim::Same => match self.ledger.entry(&payment.id).await? {
                Some(entry) if wants_letter_of(&entry, delivery) => return Ok(Settled::Bury),
                Some(_) => return Ok(Settled::Done),
                None => {}
            },
        }
        let outcome = self.gateway.cancel(&charge(&payment, &content, delivery), reason).await?;
        let settled = match outcome {
            Outcome::Cancelled(_) => {
                letter.file().await?;
                Settled::Bury
            }
            _ => Settled::Done,
        };
        self.record(&payment, content, outcome, delivery).await?;
        Ok(settled)
    }
}

/// The one failure that is neither a decline nor has a dead letter.
const KEY_REUSED: &str = "Payment failed: the gateway knows this id with other content";

/// Whether an outcome is one that came with a dead letter: out of deliveries, or not acceptable.
pub(super) fn has_letter(entry: &Entry) -> bool {
    let given_up = ["Payment failed: ", "Payment rejected: "];
    entry.status == Status::Failed
        && entry.message != KEY_REUSED
        && given_up.iter().any(|prefix| entry.message.starts_with(prefix))
}

/// Whether this delivery's message is the one whose letter belongs to the entry.
fn wants_letter_of(entry: &Entry, delivery: &Delivery) -> bool {
    entry.request_sequence == delivery.sequence && has_letter(entry)
}

fn noted(at: String, payment_id: &str, delivery: &Delivery) -> DeliveryRecord {
    DeliveryRecord {
        at,
        worker: delivery.worker.to_string(),
        subject: delivery.subject.clone(),
        message: payment_id.to_owned(),
        queue_group: None,
        sequence: Some(delivery.sequence),
        attempt: delivery.deliveries,
    }
}

fn charge<'a>(payment: &'a Payment, content: &'a str, delivery: &'a Delivery) -> Charge<'a> {
    Charge { key: payment.id.as_str(), content, money: payment.money, worker: &delivery.worker }
}

fn conflict(id: &PaymentId) -> Failure {
    let reason =
        format!("payment `{id}` was submitted before with other content; the first stands");
    Failure::Dead(DeadKind::Conflict, reason)
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Later(error.to_string())
    }
}
