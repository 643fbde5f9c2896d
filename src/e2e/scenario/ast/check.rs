//! A check: what must hold when all is done.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::e2e::text::schema::Schema;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;

/// One check on the outcome of the whole scenario.
#[derive(Debug, Clone)]
pub struct Check {
    /// Of the check's key and value.
    pub span: Span,
    /// What must hold.
    pub kind: CheckKind,
    /// It may take this long to come true; then it must stay true.
    pub within: Duration,
}

/// What a check looks at. Journals are the oracle for effects; JetStream is for records.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// The gateway approved each of these payments exactly once.
    ChargedOnce {
        /// Payment ids.
        ids: Vec<String>,
        /// Exact decimal, as text.
        amount: Option<String>,
    },
    /// The gateway never approved these payments.
    NeverCharged {
        /// Payment ids.
        ids: Vec<String>,
    },
    /// Exactly these dead letters are stored, in any order.
    DeadLetters {
        /// Patterns over `kind`, `reason`, `subject`, `deliveries`, `body`, `headers`.
        expected: Vec<Value>,
    },
    /// The mailer's journal.
    Emails {
        /// Handed over, in all.
        count: Option<u64>,
        /// By so many different workers.
        workers: Option<u64>,
        /// No two for the same recipient and subject.
        each_once: bool,
        /// Refused by the mailer.
        refused: Option<u64>,
    },
    /// Crash points did abort processes: how often after each step.
    Crashed {
        /// By the step's letter.
        expected: BTreeMap<String, u64>,
    },
    /// The verdict on the history of the run, and its figures.
    History {
        /// Pattern over `verdict` and the figures.
        expected: Value,
    },
    /// After the end of each fault something succeeded again in time.
    RecoveredWithin {
        /// At most so long after it.
        limit: Duration,
    },
    /// Everything is final so soon after the last fault.
    FinalWithin {
        /// From the end of the last fault, or from its submission where that came later, to the last
        /// outcome or dead letter.
        limit: Duration,
    },
    /// What a stream holds.
    Stream {
        /// Its name.
        name: String,
        /// So many messages.
        messages: Option<u64>,
        /// On so many different subjects.
        subjects: Option<u64>,
        /// Pattern over the body of every message.
        each: Option<Value>,
    },
    /// Every message on a subject, and every reply to one.
    Schema {
        /// May have wildcards.
        subject: String,
        /// A message is valid by one of these.
        messages: Vec<Schema>,
        /// A reply is valid by one of these; empty is whatever it is.
        replies: Vec<Schema>,
    },
    /// Exactly one ledger entry for the payment, with this in it.
    Ledger {
        /// Payment id.
        id: String,
        /// Pattern over the entry.
        entry: Value,
    },
}

impl CheckKind {
    /// The word in the fixture.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ChargedOnce { .. } => "charged_once",
            Self::NeverCharged { .. } => "never_charged",
            Self::DeadLetters { .. } => "dead_letters",
            Self::Emails { .. } => "emails",
            Self::Crashed { .. } => "crashed",
            Self::History { .. } => "history",
            Self::RecoveredWithin { .. } => "recovered_within",
            Self::FinalWithin { .. } => "final_within",
            Self::Schema { .. } => "schema",
            Self::Stream { .. } => "stream",
            Self::Ledger { .. } => "ledger",
        }
    }
}

impl Check {
    /// With values that steps have saved.
    pub fn filled(&self, variables: &template::Variables) -> Self {
        let text = |text: &String| template::fill_text(text, variables);
        let value = |value: &Value| template::fill(value, variables);
        let kind = match &self.kind {
            CheckKind::ChargedOnce { ids, amount } => CheckKind::ChargedOnce {
                ids: ids.iter().map(text).collect(),
                amount: amount.as_ref().map(text),
            },
            CheckKind::NeverCharged { ids } => {
                CheckKind::NeverCharged { ids: ids.iter().map(text).collect() }
            }
            CheckKind::DeadLetters { expected } => {
                CheckKind::DeadLetters { expected: expected.iter().map(value).collect() }
            }
            CheckKind::History { expected } => CheckKind::History { expected: value(expected) },
            CheckKind::Stream { name, messages, subjects, each } => CheckKind::Stream {
                name: text(name),
                messages: *messages,
                subjects: *subjects,
                each: each.as_ref().map(value),
            },
            CheckKind::Schema { subject, messages, replies } => CheckKind::Schema {
                subject: text(subject),
                messages: messages.clone(),
                replies: replies.clone(),
            },
            CheckKind::Ledger { id, entry } => {
                CheckKind::Ledger { id: text(id), entry: value(entry) }
            }
            other => other.clone(),
        };
        Self { kind, ..self.clone() }
    }
}
