//! What a checker says: valid, invalid with the smallest piece that shows it, or unknown with why.

use std::fmt;

use serde::Serialize;

use crate::e2e::record::history::event::Event;
use crate::wire::headers::bounded;

/// A promise that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Nothing acknowledged is lost.
    Acknowledged,
    /// No effect happens twice, and each is one that was asked for.
    Once,
    /// One reply a request.
    Replies,
    /// Each queue message to at most one worker.
    Queue,
    /// Deliveries in publish order, for each subject and publisher.
    Order,
    /// A status never goes back.
    Status,
    /// Everything is final within a time after the last fault.
    Final,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acknowledged => "nothing acknowledged is lost",
            Self::Once => "no effect happens twice",
            Self::Replies => "one reply a request",
            Self::Queue => "each queue message to at most one worker",
            Self::Order => "order for each subject and publisher",
            Self::Status => "status never goes back",
            Self::Final => "final in time after the last fault",
        })
    }
}

/// How a promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// Acknowledged, and it came to nothing.
    Lost,
    /// Acknowledged with other content than the outcome's, and no conflict is on record.
    ConflictLost,
    /// Two final outcomes.
    SecondOutcome,
    /// One message, two dead letters.
    SecondDeadLetter,
    /// Charged more than once.
    ChargedTwice,
    /// Charged for an amount or a content that nobody submitted.
    ChargedOther,
    /// Charged, and nobody submitted it.
    ChargedUnasked,
    /// Charged, and the submit had certainly not happened.
    HappenedAfterFail,
    /// Completed, and not charged.
    CompletedUncharged,
    /// Completed for another amount than was charged.
    CompletedOther,
    /// Failed, and charged.
    FailedCharged,
    /// Charged, and not final.
    ChargedWithoutOutcome,
    /// An operation never ended.
    NoReply,
    /// An operation ended twice.
    SecondReply,
    /// A reply to nothing.
    StrayReply,
    /// Two operations with one number.
    SecondInvoke,
    /// One message, two workers or twice the same.
    DeliveredTwice,
    /// One email, sent twice.
    SentTwice,
    /// A queue message that reached no worker, where none may be lost.
    LostInQueue,
    /// Delivered before a message that was published earlier.
    OutOfOrder,
    /// A later reading has an earlier status.
    WentBack,
    /// A final status became the other one.
    FinalChanged,
    /// Final, and too long after the last fault.
    FinalLate,
}

/// One place where a promise is broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// How.
    pub breach: Breach,
    /// One sentence.
    pub message: String,
    /// The smallest piece of the history that shows it: without any one of these events it does
    /// not. `seq` is the line in the whole history.
    pub evidence: Vec<Event>,
    /// What else helps to understand it, as the submits of a payment that was charged twice.
    pub context: Vec<Event>,
}

/// What a checker says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The promise holds.
    Valid,
    /// It does not.
    Invalid {
        /// How many places there are.
        violations: usize,
        /// Up to [`SHOWN`] of them: those with the least evidence first, then the earliest.
        shown: Vec<Violation>,
    },
    /// The history does not say enough.
    Unknown {
        /// What is missing.
        why: Vec<String>,
    },
}

/// How many violations of one promise a verdict shows.
pub const SHOWN: usize = 10;

impl Verdict {
    /// `valid`, `invalid` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid { .. } => "invalid",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// True for [`Verdict::Invalid`].
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }
}

/// What came of one promise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The promise.
    pub property: Property,
    /// How many things it was held against: a promise that holds of nothing is worth nothing.
    pub looked_at: usize,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Collects what a checker finds.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Findings {
    violations: Vec<Violation>,
    why_unknown: Vec<String>,
    pub(in crate::e2e) looked_at: usize,
}

impl Findings {
    pub(in crate::e2e) fn broken(
        &mut self,
        breach: Breach,
        message: String,
        evidence: impl IntoIterator<Item = Event>,
        context: impl IntoIterator<Item = Event>,
    ) {
        let mut evidence: Vec<Event> = evidence.into_iter().collect();
        evidence.sort_by_key(|event| event.seq);
        let mut context: Vec<Event> =
            context.into_iter().filter(|event| !evidence.contains(event)).take(8).collect();
        context.sort_by_key(|event| event.seq);
        // Ids come from outside: nothing of them reaches a terminal raw.
        let message = bounded(&message, 500);
        self.violations.push(Violation { breach, message, evidence, context });
    }

    pub(in crate::e2e) fn unknown(&mut self, why: String) {
        self.why_unknown.push(why);
    }

    pub(in crate::e2e) fn finish(mut self, property: Property) -> Finding {
        let verdict = if !self.violations.is_empty() {
            let violations = self.violations.len();
            self.violations
                .sort_by_key(|v| (v.evidence.len(), v.evidence.first().map(|event| event.seq)));
            self.violations.truncate(SHOWN);
            Verdict::Invalid { violations, shown: self.violations }
        } else if !self.why_unknown.is_empty() {
            Verdict::Unknown { why: self.why_unknown }
        } else {
            Verdict::Valid
        };
        Finding { property, looked_at: self.looked_at, verdict }
    }
}

/// Owned copies, for evidence.
pub(in crate::e2e) fn copies<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Event> {
    events.into_iter().cloned().collect()
}
