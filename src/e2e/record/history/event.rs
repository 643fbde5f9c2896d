//! What a history is made of: events on one clock, each a line of JSON.
//!
//! ```json
//! {"seq":1,"at_ns":1200,"invoke":{"process":"client-1","op":1,"kind":"submit","subject":"services.payment.payment-process","payment":{"id":"pay-7","amount":"9.99","currency":"USD"}}}
//! {"seq":2,"at_ns":9100,"ok":{"process":"client-1","op":1,"sequence":1}}
//! {"seq":3,"at_ns":9900,"charge":{"payment_id":"pay-7","outcome":"approved","amount":"9.99","currency":"USD","worker":"w-1"}}
//! ```
//! Beside `seq` and `at_ns` a line has exactly one key, which says what happened.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::amount::AmountError;
use crate::wire::journal::{ChargeOutcome, ChargeRecord, DeliveryRecord, EmailRecord, email_id};

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Order of recording, from 1 without a gap. What returned before something else was invoked
    /// has the smaller number.
    pub seq: u64,
    /// When it happened, nanoseconds since the start of the run. What was read from a journal
    /// afterwards happened before it was recorded.
    pub at_ns: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A client begins an operation.
    Invoke(Invoke),
    /// It happened.
    Ok(Reply),
    /// It certainly did not happen.
    Fail(Refusal),
    /// It may have happened: a timeout, a connection that broke.
    Unknown(Refusal),
    /// A worker was handed a message.
    Delivery(Delivery),
    /// The gateway's journal.
    Charge(Charge),
    /// The mailer's journal.
    Email(Email),
    /// The ledger: a payment is final.
    Outcome(Outcome),
    /// A message that no worker could settle.
    DeadLetter(DeadLetter),
    /// Something was broken on purpose, or mended.
    Fault(Fault),
    /// The run is over, and these records are whole.
    End(End),
}

/// A client begins an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    /// Which client.
    pub process: String,
    /// Unique in the history.
    pub op: u64,
    /// What it does.
    pub kind: Kind,
    /// Where to.
    pub subject: String,
    /// The payment that is submitted or asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// Identity of any other message, unique to one publish: an email's, a request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Request-reply.
    Request,
    /// Core publish, flushed.
    Publish,
    /// JetStream publish that waits for its acknowledgement.
    Submit,
    /// Reads a payment's status.
    Status,
}

/// A payment as a client gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// Its id.
    pub id: String,
    /// Hash of its content, as ledger and gateway write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How much; absent where the message has no good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// An operation that happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Which client.
    pub process: String,
    /// Which operation.
    pub op: u64,
    /// Of a submit: the message's sequence in its stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Of a submit: the message id was known, and nothing was stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Of a status: what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// An operation that did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Which client.
    pub process: String,
    /// Which operation.
    pub op: u64,
    /// The client library's words, one line.
    pub reason: String,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Never seen, or not yet processed.
    Pending,
    /// A worker has it.
    Processing,
    /// Charged; final.
    Completed,
    /// Not charged; final.
    Failed,
}

impl Status {
    /// True for `completed` and `failed`.
    pub fn is_final(self) -> bool {
        self.rank() == 2
    }

    /// It only ever grows: `pending`, `processing`, then either end.
    pub fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Processing => 1,
            Self::Completed | Self::Failed => 2,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        })
    }
}

/// What a status reply or a ledger entry says of a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Where it stands.
    pub status: Status,
    /// Hash of the content that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// A worker was handed a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Who got it.
    pub worker: String,
    /// The subject it came on.
    pub subject: String,
    /// Which message: as in [`Invoke::message`], or the payment's id.
    pub message: String,
    /// The queue group that it was spread over; absent for a subscriber of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_group: Option<String>,
    /// Its sequence in a stream; absent in core NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// 1 the first time.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u64,
}

fn first() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_first(attempt: &u64) -> bool {
    *attempt == 1
}

/// One line of the gateway's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The idempotency key.
    pub payment_id: String,
    /// What the gateway answered.
    pub outcome: ChargeOutcome,
    /// Hash of the request's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How much, to the last digit.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// Which worker asked.
    pub worker: String,
}

/// One line of the mailer's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// Which email: see [`email_id`](crate::wire::journal::email_id).
    pub message: String,
    /// Which worker had it.
    pub worker: String,
    /// False where the mailer refused it.
    pub sent: bool,
}

/// A ledger entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Which payment.
    pub payment_id: String,
    /// What the entry says.
    pub reading: Reading,
}

/// A message that no worker could settle, kept with its reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// `malformed`, `rejected`, `conflict`, `exhausted`.
    pub kind: String,
    /// The message's sequence in its stream; absent in core NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// As in [`Invoke::message`], where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it has a usable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
}

/// Something was broken on purpose, or mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `kill-broker`, `pause-services`, …
    pub name: String,
    /// Which end of it.
    pub phase: Phase,
}

/// The two ends of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is broken from here on.
    Begin,
    /// It is mended: the broker answers again, the process runs again.
    End,
}

/// The run is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The records that are whole: what they do not have did not happen.
    pub whole: BTreeSet<Records>,
}

/// Records that a history may have whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Records {
    /// Deliveries to workers.
    Deliveries,
    /// The gateway's journal.
    Charges,
    /// The mailer's journal.
    Emails,
    /// What every payment came to: the ledger, or each status after everything had settled.
    Outcomes,
    /// Dead letters.
    DeadLetters,
}

impl From<&DeliveryRecord> for Delivery {
    fn from(record: &DeliveryRecord) -> Self {
        Self {
            worker: record.worker.clone(),
            subject: record.subject.clone(),
            message: record.message.clone(),
            queue_group: record.queue_group.clone(),
            sequence: record.sequence,
            attempt: record.attempt,
        }
    }
}

impl From<&EmailRecord> for Email {
    fn from(record: &EmailRecord) -> Self {
        Self {
            message: email_id(&record.to, &record.subject),
            worker: record.worker.clone(),
            sent: record.sent,
        }
    }
}

impl TryFrom<&ChargeRecord> for Charge {
    type Error = AmountError;

    fn try_from(record: &ChargeRecord) -> Result<Self, Self::Error> {
        Ok(Self {
            payment_id: record.key.clone(),
            outcome: record.outcome,
            content: Some(record.content.clone()),
            amount: record.amount.parse()?,
            currency: record.currency.clone(),
            worker: record.worker.clone(),
        })
    }
}
