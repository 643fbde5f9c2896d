//! Payment: a durable stream, charged exactly once. `services.payment.*`.
//!
//! The ledger message is the commit; PAYMENTS.md tells why. The way of one message:
//! claim the id ([`Ledger::claim`]), charge with the id as idempotency key ([`Gateway`]), commit
//! ([`Ledger::commit`]), acknowledge. Every step may run twice; none changes what is on record.

mod amount;
mod audit;
mod books;
mod client;
mod crash;
mod dead_letters;
mod earlier;
mod finals;
mod gateway;
mod gathered;
mod id;
mod ledger;
mod letters;
mod module;
mod names;
mod order;
mod peers;
mod process;
mod refusals;
mod sabotage;
mod salvage;
mod service;
mod store;
mod streams;
mod types;
mod writes;

pub use amount::{Money, MoneyError};
pub use audit::{Audit, AuditError, Outside, audit};
pub use books::{Books, Held, Seen};
pub use client::{PaymentClient, Submission};
pub use crash::{CrashPoints, CrashRule};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use gateway::{Chance, Gateway, GatewayRule, Outcome};
pub use id::PaymentId;
pub use ledger::{Claim, Commit, Ledger, LedgerError};
pub use module::{PaymentModule, Settings};
pub use names::{CONSUMER, DEAD_LETTERS, FAILURES, INTENTS, LEAST_PAYLOAD, LEDGER, REQUESTS};
pub use refusals::Refusals;
pub use sabotage::Sabotage;
pub use salvage::usable_id;
pub use service::Payment;
pub(crate) use service::became;
pub use store::StoreError;
pub use streams::streams;
pub use types::{Entry, Intent, PaymentRequest, Status, StatusReply, StatusRequest};
