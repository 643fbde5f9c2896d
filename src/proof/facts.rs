//! The facts about payments and emails in a history, with their shapes.
//!
//! ```json
//! "about":{"of":"payment","key":"pay-7","content":{"content":"5f…","amount":"9.99","currency":"USD"}}
//! "charge":{"payment_id":"pay-7","outcome":"approved","amount":"9.99","currency":"USD","worker":"w-1"}
//! "email":{"message":"a@x | hello","worker":"w-1","sent":true}
//! "outcome":{"payment_id":"pay-7","sequence":1,"reading":{"status":"completed","amount":"9.99"}}
//! "dead_letter":{"kind":"conflict","sequence":3,"payment_id":"pay-7","content":"a0…","reason":"…"}
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, AmountError};
use crate::e2e::record::history::{About, Fact, Json};
use crate::wire::journal::{ChargeOutcome, ChargeRecord, EmailRecord, email_id};

/// The gateway's journal.
pub const CHARGE: &str = "charge";
/// The mailer's journal.
pub const EMAIL: &str = "email";
/// The ledger: a payment is final.
pub const OUTCOME: &str = "outcome";
/// A message that no worker could settle.
pub const DEAD_LETTER: &str = "dead_letter";
/// All of them.
pub const WORDS: &[&str] = &[CHARGE, EMAIL, OUTCOME, DEAD_LETTER];

/// The gateway's journal, where it is whole.
pub const CHARGES: &str = "charges";
/// The mailer's.
pub const EMAILS: &str = "emails";
/// The ledger: the outcome of every payment.
pub const OUTCOMES: &str = "outcomes";
/// Dead letters.
pub const DEAD_LETTERS: &str = "dead_letters";

/// The kind of a dead letter whose payment has other content.
pub const CONFLICT: &str = "conflict";

/// What a payment's operations are about.
const PAYMENT: &str = "payment";
/// What a queue message's operations are about.
const MESSAGE: &str = "message";

/// A fact, read: with texts of its own, or with [`Text`]s of the history.
///
/// [`Text`]: crate::e2e::record::history::Text
#[derive(Debug, Clone, PartialEq)]
pub enum Known<S = String> {
    /// One line of the gateway's journal.
    Charge(Charge<S>),
    /// One line of the mailer's journal.
    Email(Email<S>),
    /// A ledger entry.
    Outcome(Outcome<S>),
    /// A message that no worker could settle.
    DeadLetter(DeadLetter<S>),
}

impl<'a, S: Deserialize<'a>> Known<S> {
    /// A fact of this oracle; `None` for another's.
    ///
    /// # Errors
    /// It has another shape.
    pub fn of(Fact { word, record }: &'a Fact) -> Result<Option<Self>, serde_json::Error> {
        let read = match word.as_str() {
            CHARGE => record.read().map(Self::Charge),
            EMAIL => record.read().map(Self::Email),
            OUTCOME => record.read().map(Self::Outcome),
            DEAD_LETTER => record.read().map(Self::DeadLetter),
            _ => return Ok(None),
        };
        read.map(Some)
    }
}

impl<S: Serialize> Known<S> {
    /// As it stands in a history.
    ///
    /// # Errors
    /// JSON's; there is none for these shapes.
    pub fn fact(&self) -> Result<Fact, serde_json::Error> {
        let (word, record) = match self {
            Self::Charge(charge) => (CHARGE, Json::of(charge)),
            Self::Email(email) => (EMAIL, Json::of(email)),
            Self::Outcome(outcome) => (OUTCOME, Json::of(outcome)),
            Self::DeadLetter(letter) => (DEAD_LETTER, Json::of(letter)),
        };
        Ok(Fact { word: word.to_owned(), record: record? })
    }
}

/// A payment as a client gave it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment<S = String> {
    /// Its id.
    #[serde(skip)]
    pub id: S,
    /// Hash of its content, as ledger and gateway write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<S>,
    /// How much; absent where the message has no good one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<S>,
}

impl<'a, S: Deserialize<'a> + From<&'a str> + Default> Payment<S> {
    /// What an operation is about, if it is a payment.
    ///
    /// # Errors
    /// It has another shape.
    pub fn of(about: &'a About) -> Result<Option<Self>, serde_json::Error> {
        if about.of != PAYMENT {
            return Ok(None);
        }
        let read: Self = about.content.as_ref().map(Json::read).transpose()?.unwrap_or_default();
        Ok(Some(Self { id: S::from(&about.key), ..read }))
    }
}

impl Payment {
    /// As operations say it.
    pub fn about(&self) -> About {
        About { of: PAYMENT.to_owned(), key: self.id.clone(), content: Json::of(self).ok() }
    }
}

/// What an operation with a queue message is about; the id is unique to one publish.
pub fn message(id: String) -> About {
    About { of: MESSAGE.to_owned(), key: id, content: None }
}

/// The id of a payment.
pub(super) fn payment_id(about: &About) -> Option<&str> {
    (about.of == PAYMENT).then_some(about.key.as_str())
}

/// The id of a message that is no payment.
pub(super) fn message_id(about: &About) -> Option<&str> {
    (about.of == MESSAGE).then_some(about.key.as_str())
}

/// The status of a payment.
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

    /// The order of statuses, which only increases: `pending`, `processing`, then one of the final
    /// ones.
    pub fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Processing => 1,
            Self::Completed | Self::Failed => 2,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
pub struct Reading<S = String> {
    /// Where it stands.
    pub status: Status,
    /// Hash of the content that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<S>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<S>,
}

/// One line of the gateway's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge<S = String> {
    /// The idempotency key.
    pub payment_id: S,
    /// What the gateway answered.
    pub outcome: ChargeOutcome,
    /// Hash of the request's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<S>,
    /// How much, to the last digit.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: S,
    /// Which worker asked.
    pub worker: S,
}

/// One line of the mailer's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email<S = String> {
    /// Which email: see [`email_id`].
    pub message: S,
    /// Which worker had it.
    pub worker: S,
    /// False where the mailer refused it.
    pub sent: bool,
}

/// A ledger entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome<S = String> {
    /// Which payment.
    pub payment_id: S,
    /// The sequence of the message that it is the outcome of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// What the entry says.
    pub reading: Reading<S>,
}

/// A message that no worker could settle, kept with its reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter<S = String> {
    /// `malformed`, `rejected`, [`CONFLICT`], `exhausted`.
    pub kind: S,
    /// The message's sequence in its stream; absent in core NATS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Which message of a queue, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<S>,
    /// Where it has a usable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<S>,
    /// Hash of the message's content, where that is an acceptable payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<S>,
    /// Why, in words; empty where the letter does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<S>,
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
