//! The verdict of a checker: valid, invalid with the smallest evidence, or unknown with the reason.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::e2e::record::history::event::Event;
use crate::wire::headers::bounded;

/// A promise that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Property {
    /// In JSON, and where one asks for it.
    pub word: &'static str,
    /// What is promised, in a few words.
    pub says: &'static str,
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.says)
    }
}

/// One place where a promise is broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// How: one word, as `lost`.
    pub breach: &'static str,
    /// One sentence.
    pub message: String,
    /// The smallest evidence: without any one of these events the violation is not shown. `seq` is
    /// the line in the whole history.
    pub evidence: Vec<Event>,
    /// Further events that help to understand it, such as the submission of a duplicate.
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

/// The verdict on one promise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The promise.
    pub property: Property,
    /// Which of them, where a suite declares several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many things were checked: a promise that was checked for nothing proves nothing.
    pub looked_at: usize,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Collects what a checker finds.
#[derive(Debug, Default)]
pub struct Findings {
    violations: Vec<Violation>,
    why_unknown: Vec<String>,
    /// How many things the promise was held against so far.
    pub looked_at: usize,
}

impl Findings {
    /// The promise is broken, as the events of `evidence` show; those of `context` help to understand it.
    pub fn broken(
        &mut self,
        breach: &'static str,
        message: String,
        evidence: impl IntoIterator<Item = Event>,
        context: impl IntoIterator<Item = Event>,
    ) {
        let mut evidence: Vec<Event> = evidence.into_iter().collect();
        evidence.sort_by_key(|event| event.seq);
        let mut context: Vec<Event> =
            context.into_iter().filter(|event| !evidence.contains(event)).take(8).collect();
        context.sort_by_key(|event| event.seq);
        // Ids come from outside, so they are escaped before they reach a terminal.
        let message = bounded(&message, 500);
        self.violations.push(Violation { breach, message, evidence, context });
    }

    /// How many places there are so far in which it is broken like that.
    pub fn count(&self, breach: &str) -> usize {
        self.violations.iter().filter(|violation| violation.breach == breach).count()
    }

    /// Something is unknown, and why.
    pub fn unknown(&mut self, why: String) {
        self.why_unknown.push(why);
    }

    /// What came of the promise.
    pub fn finish(mut self, property: Property) -> Finding {
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
        Finding { property, name: None, looked_at: self.looked_at, verdict }
    }
}

/// Owned copies, for evidence.
pub fn copies<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Event> {
    events.into_iter().cloned().collect()
}
