//! A check: what must hold when all is done.

use std::time::Duration;

use serde_json::{Map, Value};

use super::held::{ConsumerCheck, KvCheck, LogCheck, StreamCheck};
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
    /// What an oracle knows how to look at.
    Oracle(Asked),
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
        /// From the end of the last fault, or from its submission where that came later, to the last end.
        limit: Duration,
    },
    /// What a stream holds.
    Stream(StreamCheck),
    /// What a bucket holds.
    Kv(KvCheck),
    /// What a service has printed.
    Log(LogCheck),
    /// What a consumer has left, and what it gave up.
    Consumer(ConsumerCheck),
    /// Every message on a subject, and every reply to one.
    Schema {
        /// May have wildcards.
        subject: String,
        /// A message is valid by one of these.
        messages: Vec<Schema>,
        /// A reply is valid by one of these; empty is whatever it is.
        replies: Vec<Schema>,
    },
}

/// A check of a [`CheckWord`](crate::e2e::scenario::CheckWord), as it stands in the fixture.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its word.
    pub word: &'static str,
    /// Its value; ids are a list.
    pub value: Value,
    /// What stands beside it.
    pub beside: Map<String, Value>,
}

impl CheckKind {
    /// The word in the fixture.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Oracle(asked) => asked.word,
            Self::History { .. } => "history",
            Self::RecoveredWithin { .. } => "recovered_within",
            Self::FinalWithin { .. } => "final_within",
            Self::Schema { .. } => "schema",
            Self::Stream(_) => "stream",
            Self::Kv(_) => "kv",
            Self::Log(_) => "log",
            Self::Consumer(_) => "consumer",
        }
    }
}

impl Check {
    /// With values that steps have saved.
    pub fn filled(&self, variables: &template::Variables) -> Self {
        let text = |text: &String| template::fill_text(text, variables);
        let value = |value: &Value| template::fill(value, variables);
        let kind = match &self.kind {
            CheckKind::Oracle(Asked { word, value: asked, beside }) => CheckKind::Oracle(Asked {
                word,
                value: value(asked),
                beside: beside.iter().map(|(key, beside)| (key.clone(), value(beside))).collect(),
            }),
            CheckKind::History { expected } => CheckKind::History { expected: value(expected) },
            CheckKind::Stream(check) => CheckKind::Stream(StreamCheck {
                name: text(&check.name),
                by_subject: check.by_subject.iter().map(|(on, many)| (text(on), *many)).collect(),
                each: check.each.as_ref().map(value),
                headers: check.headers.as_ref().map(value),
                last: check.last.as_ref().map(value),
                ..check.clone()
            }),
            CheckKind::Kv(check) => CheckKind::Kv(KvCheck {
                bucket: text(&check.bucket),
                key: check.key.as_ref().map(text),
                value: check.value.as_ref().map(value),
                revision: check.revision.as_ref().map(value),
                values: check.values.as_ref().map(value),
                ..check.clone()
            }),
            CheckKind::Log(check) => {
                CheckKind::Log(LogCheck { matches: text(&check.matches), ..check.clone() })
            }
            CheckKind::Consumer(check) => CheckKind::Consumer(ConsumerCheck {
                name: text(&check.name),
                stream: text(&check.stream),
                ..check.clone()
            }),
            CheckKind::Schema { subject, messages, replies } => CheckKind::Schema {
                subject: text(subject),
                messages: messages.clone(),
                replies: replies.clone(),
            },
            other => other.clone(),
        };
        Self { kind, ..self.clone() }
    }
}
