//! The module: one stream consumer, one request-reply service, joined by the ledger.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::crash::{CrashPoints, CrashRule, Step};
use super::gateway::{Chance, Charge, Gateway, GatewayRule, Outcome};
use super::ledger::{self, Claim, Commit, Ledger, LedgerError};
use super::order::Order;
use super::sabotage::{Sabotage, Saboteur};
use super::salvage::usable_id;
use super::service::{self, Payment, PaymentId};
use super::types::{Entry, Intent, PaymentRequest, Status, StatusRequest};
use crate::modules::{deliveries::Deliveries, duration, journal::JournalError};
use crate::mono::{
    BoxFuture, Call, DeadKind, Delivery, Failure, Letter, Module, ModuleError, Object,
    ServiceError, Services, Settled, StreamHandler, StreamSettings,
};
use crate::wire::journal::DeliveryRecord;
use crate::wire::subjects::DEAD_LETTER_PREFIX;

/// Settings of the module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Workers in this process; default 1.
    pub workers: usize,
    /// Payments that one worker has in hand at once; default 256.
    pub concurrency: usize,
    /// How long a delivery may stay silent before another worker gets it; default 5 s.
    #[serde(with = "duration")]
    pub ack_wait: Duration,
    /// How long a worker may be at work on one delivery before the payment is let go, for another
    /// worker to take; default 5 minutes, and never less than `gateway_timeout` and a minute.
    #[serde(with = "duration")]
    pub handle_limit: Duration,
    /// How many deliveries a payment gets while the gateway fails; default 5.
    pub max_deliver: u64,
    /// The wait after each failed delivery, the last one repeats; default 100 ms to 5 s.
    #[serde(with = "duration::list")]
    pub backoff: Vec<Duration>,
    /// How long the gateway may take; default 10 s. After it the charge is unknown, and asked
    /// again with the same key.
    #[serde(with = "duration")]
    pub gateway_timeout: Duration,
    /// Rules of the simulated gateway; the first that matches counts.
    pub gateway: Vec<GatewayRule>,
    /// Chance for payments that no rule matches; by default every payment is approved.
    pub chance: Chance,
    /// Crash points, for proofs only; none by default.
    pub crash: Vec<CrashRule>,
    /// Copies of each stream that is made; default 1.
    pub replicas: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            concurrency: 256,
            ack_wait: Duration::from_secs(5),
            handle_limit: Duration::from_secs(300),
            max_deliver: 5,
            backoff: [100, 500, 1000, 5000].map(Duration::from_millis).to_vec(),
            gateway_timeout: Duration::from_secs(10),
            gateway: Vec::new(),
            chance: Chance::default(),
            crash: Vec::new(),
            replicas: 1,
        }
    }
}

/// `services.payment.*`.
pub struct PaymentModule {
    settings: Settings,
    ledger: Ledger,
    gateway: Arc<Gateway>,
    crash: Arc<CrashPoints>,
    sabotage: Option<Sabotage>,
    deliveries: Deliveries,
}

impl PaymentModule {
    /// The module on this ledger and gateway.
    pub fn new(settings: Settings, ledger: Ledger, gateway: Gateway) -> Self {
        let crash = Arc::new(CrashPoints::default());
        let (gateway, deliveries) = (Arc::new(gateway), Deliveries::default());
        Self { settings, ledger, gateway, crash, sabotage: None, deliveries }
    }

    /// The same, noting what its workers begin with.
    #[must_use]
    pub fn noting(self, deliveries: Deliveries) -> Self {
        Self { deliveries, ..self }
    }

    /// The same, breaking its promises on purpose.
    #[must_use]
    pub fn sabotaged(self, sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..self }
    }

    /// The same, aborting its process where these say so.
    #[must_use]
    pub fn crashing_at(self, points: CrashPoints) -> Self {
        Self { crash: Arc::new(points), ..self }
    }
}

impl Module for PaymentModule {
    fn name(&self) -> &str {
        "payment"
    }

    fn register(&self, services: &mut Services) {
        let s = &self.settings;
        let stream = StreamSettings {
            stream: ledger::requests_stream(s.replicas),
            durable: ledger::CONSUMER.to_owned(),
            ack_wait: s.ack_wait,
            handle_limit: s
                .handle_limit
                .max(s.gateway_timeout.saturating_add(Duration::from_secs(60))),
            max_deliver: s.max_deliver.max(1),
            backoff: s.backoff.clone(),
            dead_letters: ledger::dead_letters_stream(s.replicas),
            dead_letter_prefix: DEAD_LETTER_PREFIX.to_owned(),
        };
        let process = Process {
            ledger: self.ledger.clone(),
            order: Order::new(self.ledger.clone()),
            gateway: Arc::clone(&self.gateway),
            gateway_timeout: s.gateway_timeout,
            crash: Arc::clone(&self.crash),
            sabotage: self.sabotage,
            deliveries: self.deliveries.clone(),
        };
        services
            .stream_consumer("payment-process", stream, process)
            .workers(s.workers)
            .bounds(s.concurrency, 0);

        let ledger = self.ledger.clone();
        let forgetting = self.sabotage.and_then(Sabotage::forgets_finals).map(Arc::new);
        services
            .request_reply("status", move |Object(request): Object<StatusRequest>, _: Call| {
                let (ledger, forgetting) = (ledger.clone(), forgetting.clone());
                async move {
                    let id =
                        PaymentId::new(&request.payment_id).map_err(ServiceError::bad_request)?;
                    let internal = |e: LedgerError| ServiceError::internal(e.to_string());
                    // The entry is asked first: a status read in this order never moves back.
                    let entry = ledger.entry(&id).await.map_err(internal)?;
                    let forgotten =
                        entry.is_some() && forgetting.is_some_and(|forgetting| forgetting.is_due());
                    let entry = entry.filter(|_| !forgotten);
                    let intent = match entry {
                        Some(_) => None,
                        None => ledger.intent(&id).await.map_err(internal)?,
                    };
                    Ok(service::status(&id, entry, intent))
                }
            })
            .workers(s.workers);
    }

    fn start(&self) -> BoxFuture<'_, Result<(), ModuleError>> {
        Box::pin(self.ledger.prepare())
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // The broker may be away: a drain does not wait for it.
            let remembered = self.ledger.remember(true);
            match tokio::time::timeout(Duration::from_secs(1), remembered).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "what the streams hold is not on record"),
                Err(_) => tracing::warn!("what the streams hold is not on record: no answer"),
            }
        })
    }
}

/// The steps C to F of PAYMENTS.md; the framework does B and G.
struct Process {
    ledger: Ledger,
    order: Order,
    gateway: Arc<Gateway>,
    gateway_timeout: Duration,
    crash: Arc<CrashPoints>,
    sabotage: Option<Sabotage>,
    deliveries: Deliveries,
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
            return saboteur.handle(kind).await;
        }
        let id = payment.id.as_str();
        self.crash.reach(Step::C, id).await;
        match self.claim(&payment.id, &payment.intent(&delivery.worker, now()), delivery).await? {
            Claim::Mine => {}
            Claim::Other => return Err(conflict(&payment.id)),
            // Somebody began: finished, at work on it now, or dead. The charge is idempotent.
            Claim::Same => {
                if let Some(entry) = self.ledger.entry(&payment.id).await? {
                    if wants_letter_of(&entry, delivery) {
                        return Err(Failure::Dead(DeadKind::Exhausted, entry.message));
                    }
                    self.crash.reach(Step::F, id).await;
                    return Ok(());
                }
            }
        }
        self.crash.reach(Step::D, id).await;
        let content = payment.content();
        let charge = charge(&payment, &content, delivery);
        let outcome = self.gateway.charge(&charge, self.gateway_timeout).await?;
        self.crash.reach(Step::E, id).await;
        if let Outcome::Cancelled(reason) = outcome {
            // Given up before, by a process that ended before the entry: with its letter now.
            return Err(Failure::Dead(DeadKind::Exhausted, reason));
        }
        self.record(&payment, outcome, delivery).await?;
        self.crash.reach(Step::F, id).await;
        Ok(())
    }

    async fn acknowledged(&self, delivery: &Delivery) {
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
        let entry = payment.entry(status, message, delivery.sequence, &delivery.worker, now());
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
        let Some(id) = usable_id(&delivery.body) else { return Ok(Settled::Bury) };
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
        match self.claim(&payment.id, &payment.intent(&delivery.worker, now()), delivery).await? {
            Claim::Other => return Ok(Settled::Bury),
            Claim::Mine => {}
            Claim::Same => match self.ledger.entry(&payment.id).await? {
                Some(entry) if wants_letter_of(&entry, delivery) => return Ok(Settled::Bury),
                Some(_) => return Ok(Settled::Done),
                None => {}
            },
        }
        let content = payment.content();
        let outcome = self.gateway.cancel(&charge(&payment, &content, delivery), reason).await?;
        let settled = match outcome {
            Outcome::Cancelled(_) => {
                letter.file().await?;
                Settled::Bury
            }
            _ => Settled::Done,
        };
        self.record(&payment, outcome, delivery).await?;
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
