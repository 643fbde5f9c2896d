//! Workers that break the promises on purpose: the checks must find each of them out.
//!
//! Off unless `serve --sabotage` names one, which only `e2e --sabotage` does. `duplicate` is the
//! naive worker that most teams begin with: charge, publish the outcome, acknowledge.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::amount::Money;
use super::gateway::{Charge, Gateway, Outcome};
use super::ledger::Ledger;
use super::service::Payment;
use super::types::Status;
use crate::mono::{Delivery, Failure};

/// How the worker breaks its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Acknowledges one payment in ten and does nothing.
    Drop,
    /// Charges without an idempotency key, whatever is on record.
    Duplicate,
    /// Acknowledges first and works afterwards: a kill in between loses the payment.
    EarlyAck,
    /// Charges one cent more than was asked.
    ChangeAmount,
}

/// Handles a payment the wrong way.
pub(super) async fn handle(
    sabotage: Sabotage,
    ledger: &Ledger,
    gateway: &Arc<Gateway>,
    payment: &Payment,
    delivery: &Delivery,
) -> Result<(), Failure> {
    match sabotage {
        Sabotage::Drop if delivery.sequence.is_multiple_of(10) => Ok(()),
        Sabotage::EarlyAck => {
            let (ledger, gateway) = (ledger.clone(), Arc::clone(gateway));
            let (payment, delivery) = (payment.clone(), delivery.clone());
            tokio::spawn(async move {
                // The work takes a while; the acknowledgement is long gone.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                if let Err(error) = charge(&ledger, &gateway, &payment, &delivery, true).await {
                    tracing::warn!(%error, "the work that was acknowledged before it was done failed");
                }
            });
            Ok(())
        }
        Sabotage::ChangeAmount => {
            let cent = Decimal::new(1, 2);
            let amount = (payment.money.amount() + cent).to_string();
            let money = Money::parse(&amount, payment.money.currency())
                .map_err(|e| Failure::Retry(e.to_string()))?;
            let other = Payment { money, ..payment.clone() };
            charge(ledger, gateway, &other, delivery, true).await
        }
        Sabotage::Drop => charge(ledger, gateway, payment, delivery, true).await,
        Sabotage::Duplicate => charge(ledger, gateway, payment, delivery, false).await,
    }
}

/// Charges and records, without a claim and without looking at the ledger.
async fn charge(
    ledger: &Ledger,
    gateway: &Gateway,
    payment: &Payment,
    delivery: &Delivery,
    keyed: bool,
) -> Result<(), Failure> {
    let content = payment.content();
    let charge = Charge {
        key: payment.id.as_str(),
        content: &content,
        money: payment.money,
        worker: &delivery.worker,
    };
    let outcome =
        if keyed { gateway.charge(&charge).await? } else { gateway.charge_again(&charge)? };
    let status = if outcome == Outcome::Approved { Status::Completed } else { Status::Failed };
    let at = jiff::Timestamp::now().to_string();
    let message = "sabotaged".to_owned();
    let entry = payment.entry(status, message, delivery.sequence, &delivery.worker, at);
    ledger.commit(&payment.id, &entry).await?;
    Ok(())
}
