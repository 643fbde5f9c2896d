//! How a run ended, and its evidence.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::event::RunHistory;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::run::{Failure, Log, Place, RunLeaks, Watched};
use crate::e2e::record::seen::Seen;
use crate::e2e::record::trace::Trace;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::error::point_at;
use crate::e2e::text::span::Span;

/// How a run came to its end, before its transcript is compared.
#[derive(Debug)]
pub enum End {
    /// All steps and checks hold.
    Held,
    /// Something differs.
    Failed(Failure),
    /// The client or the machine cannot do it.
    Skipped(String),
    /// The harness could not do its part.
    Broken(String),
}

/// The result of a run, with its evidence.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What happened, redacted.
    pub transcript: String,
    /// What each step came to, as far as it got.
    pub seen: Vec<Vec<Seen>>,
    /// The last lines of each process.
    pub logs: Vec<Log>,
    /// What its history came to, if it was judged.
    pub history: Option<Box<RunHistory>>,
    /// What it left behind at the broker.
    pub leaks: RunLeaks,
    /// What does no harm yet.
    pub hazards: Vec<Hazard>,
    /// How often each service was started again that had ended by itself.
    pub restarts: BTreeMap<String, u32>,
    /// Where its history was kept.
    pub history_file: Option<PathBuf>,
    /// How it went, where that was asked for.
    pub trace: Option<Box<Trace>>,
    /// What was seen of a service that was looked after.
    pub watched: Option<Watched>,
}

impl Outcome {
    /// Of a run that did not get to do anything.
    pub fn unstarted(end: End) -> Self {
        Self {
            end,
            transcript: String::new(),
            seen: Vec::new(),
            logs: Vec::new(),
            history: None,
            leaks: RunLeaks::default(),
            hazards: Vec::new(),
            restarts: BTreeMap::new(),
            history_file: None,
            trace: None,
            watched: None,
        }
    }
}

/// Why a run ends before its last step.
#[derive(Debug)]
pub enum Stop {
    /// Something differs.
    Failed(Failure),
    /// The client or the machine cannot do it.
    Skipped(String),
    /// The harness could not do its part.
    Broken(String),
}

impl Stop {
    /// Something of the machine or the harness, with the evidence.
    pub fn broken(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("{doing}: {error}"))
    }

    /// Something differs, at no place of the fixture.
    pub fn failed_somewhere(fixture: &Fixture, message: String) -> Self {
        let place = Place { file: fixture.source.path.to_string(), line: 1, column: None };
        Self::Failed(Failure { message, excerpt: None, diff: None, place: Some(place) })
    }

    /// Something differs, at a place of the fixture.
    pub fn failed(fixture: &Fixture, span: &Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Failed(Failure {
            excerpt: Some(point_at(&fixture.source, span, &message, None)),
            message,
            diff: None,
            place: Some(Place {
                file: fixture.source.path.to_string(),
                line: fixture.source.line(span),
                column: Some(fixture.source.column(span)),
            }),
        })
    }
}

impl Stop {
    /// This, and what else was found: both are told. What is broken beside it changes nothing.
    pub(in crate::e2e) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed(first), Self::Failed(other)) => Self::Failed(Failure {
                message: format!("{}; and {}", first.message, other.message),
                excerpt: first.excerpt.map(|excerpt| {
                    // What has no place in the fixture has its sentence.
                    let other = other.excerpt.unwrap_or(format!("error: {}", other.message));
                    format!("{excerpt}\n\n{other}")
                }),
                ..first
            }),
            (first, _) => first,
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failed(failure) => &failure.message,
            Self::Skipped(reason) | Self::Broken(reason) => reason,
        })
    }
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => Self::Failed(failure),
            Stop::Skipped(reason) => Self::Skipped(reason),
            Stop::Broken(reason) => Self::Broken(reason),
        }
    }
}
