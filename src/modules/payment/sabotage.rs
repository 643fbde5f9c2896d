//! Workers that break the promises on purpose: the checks must find each of them out.
//!
//! Off unless `serve --sabotage` names one, which only `e2e --sabotage` does. `duplicate` is the
//! naive worker that most teams begin with: charge, publish the outcome, then acknowledge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rust_decimal::Decimal;

use super::amount::{Exact, Money};
use super::crash::{CrashPoints, Step};
use super::gateway::{Charge, Gateway, Outcome};
use super::id::PaymentId;
use super::ledger::Ledger;
use super::service::Payment;
use super::types::{Entry, Status, StatusReply};
use crate::mono::{DeadKind, Delivery, Failure};

/// How long the first of two contents waits.
const HELD_BACK: Duration = Duration::from_millis(300);

/// How long what is charged is not acknowledged yet.
const UNACKNOWLEDGED: Duration = Duration::from_millis(200);

/// How much later the work is done that was acknowledged before: longer than a broker is away that was
/// killed just before the service.
const LATER: Duration = Duration::from_secs(1);

/// How the workers break their promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Acknowledges one payment in ten and does nothing.
    Drop,
    /// Publishes the outcome and then acknowledges, without a claim or an idempotency key.
    Duplicate,
    /// Acknowledges first and works afterwards: a kill in between loses the payment.
    EarlyAck,
    /// Charges one cent more than was asked.
    ChangeAmount,
    /// Hands emails over in another order, and lets a status go back.
    Reorder,
    /// Files a dead letter for a payment that it has completed.
    BuryCompleted,
    /// Calls every payment a conflict once it is completed.
    FalseConflict,
    /// Charges a payment that the gateway has declined.
    ChargeDeclined,
    /// Records the outcome first, and charges after that.
    ChargeLate,
    /// Records payments as failed, without a dead letter.
    FailSilently,
    /// Records an outcome that nobody asked for beside each.
    UnaskedEntry,
    /// Charges another payment that nobody asked for beside each.
    UnaskedCharge,
    /// Acknowledges a message that it cannot accept, and files no dead letter.
    NoLetter,
    /// Refuses every payment with a dead letter without a reason.
    NoReason,
    /// Lets the second content of an id stand.
    SecondContent,
    /// Reports another amount than was paid.
    TellAmount,
    /// Reports an unknown payment as completed.
    InventStatus,
    /// Replies twice to each status request.
    AnswerTwice,
    /// Hands each email over twice.
    EmailTwice,
    /// Hands over an email that nobody published beside each.
    UnaskedEmail,
}

impl Sabotage {
    /// Whether payments are handled the wrong way.
    pub(super) fn breaks_processing(self) -> bool {
        !matches!(
            self,
            Self::Reorder
                | Self::NoLetter
                | Self::TellAmount
                | Self::InventStatus
                | Self::AnswerTwice
                | Self::EmailTwice
                | Self::UnaskedEmail
        )
    }
}

/// Reports a false status, if that is how promises are broken.
#[derive(Debug)]
pub(super) struct Liar {
    sabotage: Option<Sabotage>,
    forgets: AtomicBool,
}

impl Liar {
    pub(super) fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, forgets: AtomicBool::new(false) }
    }

    /// What is on record; forgotten every second time.
    pub(super) fn entry(&self, entry: Option<Entry>) -> Option<Entry> {
        let forgets = self.sabotage == Some(Sabotage::Reorder);
        entry.filter(|_| !(forgets && self.forgets.fetch_xor(true, Ordering::Relaxed)))
    }

    pub(super) fn reply(&self, reply: StatusReply) -> StatusReply {
        match self.sabotage {
            Some(Sabotage::TellAmount) if reply.amount.is_some() => {
                StatusReply { amount: Some(Exact("0.01".to_owned())), ..reply }
            }
            Some(Sabotage::InventStatus) if reply.status == Status::Pending => {
                StatusReply { status: Status::Completed, ..reply }
            }
            _ => reply,
        }
    }
}

/// Handles a payment the wrong way.
pub(super) struct Saboteur<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) gateway: &'a Arc<Gateway>,
    pub(super) crash: &'a Arc<CrashPoints>,
    pub(super) payment: &'a Payment,
    pub(super) delivery: &'a Delivery,
}

impl Saboteur<'_> {
    pub(super) async fn handle(&self, sabotage: Sabotage) -> Result<(), Failure> {
        match sabotage {
            Sabotage::Drop if self.delivery.sequence.is_multiple_of(10) => Ok(()),
            Sabotage::EarlyAck => {
                self.work_later();
                Ok(())
            }
            Sabotage::ChangeAmount => {
                let cent = Decimal::new(1, 2);
                let amount = (self.payment.money.amount() + cent).to_string();
                let money = Money::parse(&amount, self.payment.money.currency())
                    .map_err(|e| Failure::Retry(e.to_string()))?;
                let other = Payment { money, ..self.payment.clone() };
                Saboteur { payment: &other, ..*self }.charge(true).await
            }
            Sabotage::Duplicate => {
                self.charge(false).await?;
                // What kills it in between is met on a slow machine too.
                tokio::time::sleep(UNACKNOWLEDGED).await;
                Ok(())
            }
            Sabotage::BuryCompleted => self.then(DeadKind::Rejected).await,
            Sabotage::FalseConflict => self.then(DeadKind::Conflict).await,
            Sabotage::NoReason => Err(Failure::Dead(DeadKind::Rejected, String::new())),
            Sabotage::ChargeDeclined => match self.ask(true).await? {
                Outcome::Declined(_) => self.charge(false).await,
                outcome => self.commit(&outcome).await,
            },
            Sabotage::ChargeLate => {
                self.commit(&Outcome::Approved).await?;
                self.ask(true).await.map(drop)
            }
            Sabotage::FailSilently => self.commit(&Outcome::KeyReused).await,
            Sabotage::UnaskedEntry => {
                self.charge(true).await?;
                let nobodys = self.nobodys()?;
                Saboteur { payment: &nobodys, ..*self }.commit(&Outcome::Approved).await
            }
            Sabotage::UnaskedCharge => {
                self.charge(true).await?;
                let nobodys = self.nobodys()?;
                Saboteur { payment: &nobodys, ..*self }.ask(true).await.map(drop)
            }
            Sabotage::SecondContent => {
                if !self.delivery.sequence.is_multiple_of(2) {
                    // By then the next message has been handled.
                    tokio::time::sleep(HELD_BACK).await;
                }
                self.charge(true).await
            }
            _ => self.charge(true).await,
        }
    }

    /// A payment that nobody has submitted.
    fn nobodys(&self) -> Result<Payment, Failure> {
        let id = PaymentId::new(&format!("{}-nobody", self.payment.id)).map_err(Failure::Retry)?;
        Ok(Payment { id, ..self.payment.clone() })
    }

    /// Handles the payment, and then reports that it cannot.
    async fn then(&self, kind: DeadKind) -> Result<(), Failure> {
        self.charge(true).await?;
        Err(Failure::Dead(kind, "sabotaged".to_owned()))
    }

    /// The work takes a while; by then the acknowledgement is long gone.
    fn work_later(&self) {
        let (ledger, gateway) = (self.ledger.clone(), Arc::clone(self.gateway));
        let (payment, delivery) = (self.payment.clone(), self.delivery.clone());
        let crash = Arc::clone(self.crash);
        tokio::spawn(async move {
            tokio::time::sleep(LATER).await;
            let late = Saboteur {
                ledger: &ledger,
                gateway: &gateway,
                crash: &crash,
                payment: &payment,
                delivery: &delivery,
            };
            if let Err(error) = late.charge(true).await {
                tracing::warn!(%error, "the work that was acknowledged before it was done failed");
            }
        });
    }

    /// Charges and records, without a claim and without looking at the ledger.
    async fn charge(&self, keyed: bool) -> Result<(), Failure> {
        let outcome = self.ask(keyed).await?;
        self.crash.reach(Step::E, self.payment.id.as_str()).await;
        self.commit(&outcome).await?;
        self.crash.reach(Step::F, self.payment.id.as_str()).await;
        Ok(())
    }

    /// Asks the gateway.
    async fn ask(&self, keyed: bool) -> Result<Outcome, Failure> {
        let Saboteur { gateway, payment, delivery, .. } = self;
        let content = payment.content();
        let charge = Charge {
            key: payment.id.as_str(),
            content: &content,
            money: payment.money,
            worker: &delivery.worker,
        };
        Ok(match keyed {
            true => gateway.charge(&charge, Duration::MAX).await?,
            false => gateway.charge_again(&charge).await?,
        })
    }

    /// Records what came of it; what is on record already stays.
    async fn commit(&self, outcome: &Outcome) -> Result<(), Failure> {
        let Saboteur { ledger, payment, delivery, .. } = self;
        let status = if *outcome == Outcome::Approved { Status::Completed } else { Status::Failed };
        let at = jiff::Timestamp::now().to_string();
        let (content, said) = (payment.content(), (status, "sabotaged".to_owned()));
        let entry = payment.entry(content, said, delivery.sequence, &delivery.worker, at);
        ledger.commit(&payment.id, &entry).await?;
        Ok(())
    }
}
