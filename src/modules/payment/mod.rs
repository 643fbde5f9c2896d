//! Payment: a durable stream, charged exactly once. `services.payment.*`.
//!
//! The ledger message is the commit; PAYMENTS.md tells why. The way of one message:
//! claim the id ([`Ledger::claim`]), charge with the id as idempotency key ([`Gateway`]), commit
//! ([`Ledger::commit`]), acknowledge. Every step may run twice; none changes what is on record.

mod amount;
mod client;
mod crash;
mod gateway;
mod ledger;
mod module;
mod service;
mod types;

pub use amount::{Money, MoneyError};
pub use client::{PaymentClient, Submission};
pub use crash::{CrashPoints, CrashRule};
pub use gateway::{Chance, Gateway, GatewayRule, Outcome};
pub use ledger::{Claim, Commit, Ledger, LedgerError};
pub use module::{PaymentModule, Settings};
pub use service::{Payment, PaymentId};
pub use types::{Entry, Intent, PaymentRequest, Status, StatusReply, StatusRequest};
