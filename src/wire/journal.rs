//! The journals of the simulated gateway, the mailer, the workers and the crash points: JSON lines,
//! kept outside NATS.
//!
//! A journal is the oracle of the history checks: it says what was really charged or sent,
//! whatever the streams say.

use serde::{Deserialize, Serialize};

/// One line of the gateway's journal: what happened to one call with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRecord {
    /// RFC 3339, UTC.
    pub at: String,
    /// The idempotency key: the payment id.
    pub key: String,
    /// SHA-256 of the request's content, in hex; a key belongs to one content.
    pub content: String,
    /// What the gateway answered.
    pub outcome: ChargeOutcome,
    /// Exact decimal, as text.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// The gateway's reason, for all but `approved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which worker asked.
    pub worker: String,
}

/// What a gateway answers; all but `Unavailable` are final for their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOutcome {
    /// Money moved.
    Approved,
    /// Refused by the issuer; final.
    Declined,
    /// Transient: nothing happened, ask again.
    Unavailable,
    /// The caller gave the key up before an outcome was reached; no later call charges it.
    Cancelled,
}

/// One line of the mailer's journal: one email handed over. Its texts are borrowed where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailRecord<T = String> {
    /// RFC 3339, UTC.
    pub at: String,
    /// Recipient.
    pub to: T,
    /// Subject line.
    pub subject: T,
    /// Which worker sent it.
    pub worker: T,
    /// `true` if handed over, `false` if the mailer's rule refused it.
    pub sent: bool,
}

/// An email's identity, made of its envelope, which is all that is on record.
pub fn email_id(to: &str, subject: &str) -> String {
    format!("{to} | {subject}")
}

/// One line of the workers' journal: a worker begins a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// RFC 3339, UTC.
    pub at: String,
    /// Which worker.
    pub worker: String,
    /// The subject it came on.
    pub subject: String,
    /// A payment's id, or an email's: see [`email_id`].
    pub message: String,
    /// The queue group that it was spread over; absent for a stream's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_group: Option<String>,
    /// Its sequence in its stream; absent in core NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// How often it was delivered, this time included.
    pub attempt: u64,
}

/// One line of the journal of crash points: a process aborted itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashRecord {
    /// The letter of the step of PAYMENTS.md that had just ended.
    pub step: String,
    /// The payment it was about.
    pub key: String,
}
