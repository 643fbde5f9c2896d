//! Workers that break the promises on purpose: the checks must find each of them out.
//!
//! Off unless `serve --sabotage` names one, which only `e2e --sabotage` does. `duplicate` is the
//! naive worker that most teams begin with: charge, publish the outcome, then acknowledge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rust_decimal::Decimal;

use super::amount::Money;
use super::crash::{CrashPoints, Step};
use super::gateway::{Charge, Gateway, Outcome};
use super::ledger::Ledger;
use super::service::Payment;
use super::types::Status;
use crate::mono::{Delivery, Failure};

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
}

impl Sabotage {
    /// Whether payments are handled the wrong way.
    pub(super) fn breaks_processing(self) -> bool {
        self != Self::Reorder
    }

    /// Who lets a status go back, where that is how promises are broken.
    pub(super) fn forgets_finals(self) -> Option<Forgetting> {
        (self == Self::Reorder).then(Forgetting::default)
    }
}

/// Says every second time that a payment is not final when it is.
#[derive(Debug, Default)]
pub(super) struct Forgetting(AtomicBool);

impl Forgetting {
    /// Whether it is forgotten this time.
    pub(super) fn is_due(&self) -> bool {
        self.0.fetch_xor(true, Ordering::Relaxed)
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
            Sabotage::Drop | Sabotage::Reorder => self.charge(true).await,
            Sabotage::Duplicate => self.charge(false).await,
        }
    }

    /// The work takes a while; by then the acknowledgement is long gone.
    fn work_later(&self) {
        let (ledger, gateway) = (self.ledger.clone(), Arc::clone(self.gateway));
        let (payment, delivery) = (self.payment.clone(), self.delivery.clone());
        let crash = Arc::clone(self.crash);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
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
        let Saboteur { ledger, gateway, crash, payment, delivery } = self;
        let content = payment.content();
        let charge = Charge {
            key: payment.id.as_str(),
            content: &content,
            money: payment.money,
            worker: &delivery.worker,
        };
        let outcome = match keyed {
            true => gateway.charge(&charge, Duration::MAX).await?,
            false => gateway.charge_again(&charge).await?,
        };
        crash.reach(Step::E, payment.id.as_str()).await;
        let status = if outcome == Outcome::Approved { Status::Completed } else { Status::Failed };
        let at = jiff::Timestamp::now().to_string();
        let message = "sabotaged".to_owned();
        let entry = payment.entry(status, message, delivery.sequence, &delivery.worker, at);
        ledger.commit(&payment.id, &entry).await?;
        crash.reach(Step::F, payment.id.as_str()).await;
        Ok(())
    }
}
