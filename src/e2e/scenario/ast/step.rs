//! A step: a verb, what goes with it, what is expected.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::beside::{Http, Kv, Object};
use super::held::LogCheck;
use super::payload::Payload;
use crate::broker::Fault;
use crate::e2e::text::span::Span;
use crate::e2e::text::template;
use crate::wire::driver::Headers;

/// One step: a verb, what is expected of it, and how long that may take.
#[derive(Debug, Clone)]
pub struct Step {
    /// Of the verb and its value.
    pub span: Span,
    /// What is done.
    pub action: Action,
    /// What must be seen; all of them.
    pub expects: Vec<Expect>,
    /// Asked again until it holds, at most this long.
    pub within: Option<Duration>,
    /// Bound on one attempt.
    pub timeout: Option<Duration>,
    /// How often, with `{{n}}` from 1.
    pub repeat: Option<u32>,
    /// How many of those at a time.
    pub concurrency: u32,
    /// Values kept for later steps.
    pub save: Vec<Save>,
    /// Of a `request`: how many replies come, and no more; `None` is whatever comes first.
    pub replies: Option<u32>,
    /// Nothing is expected yet: whatever it comes to is taken, to be written down.
    pub open: bool,
    /// What its golden file has of it.
    pub golden: InGolden,
    /// Of a `submit` or `publish`: sent until all is acknowledged, while things break.
    pub load: Option<Load>,
}

/// What a golden file has of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum InGolden {
    /// All that it came to.
    #[default]
    Whole,
    /// All but what these JSON pointers lead to.
    Without(Vec<String>),
    /// Not even that it was done.
    Nothing,
}

/// A load under faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// Of a hundred submissions, how many are submitted once more.
    pub again_percent: u32,
    /// Each is submitted by so many clients at once, counted by `{{k}}`; 1 unless said.
    pub copies: u32,
    /// What breaks meanwhile, and how often; the seed says when.
    pub under: Vec<(Fault, u32)>,
    /// How many are begun in a second, at most.
    pub rate: Option<u32>,
    /// Each is submitted first by a client process that dies before it reads the answer.
    pub client_dies: bool,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// A method of the typed client.
    Call {
        /// `<client>.<method>`.
        method: String,
        /// Positional arguments.
        args: Vec<Value>,
        /// Keyword arguments.
        kwargs: Map<String, Value>,
    },
    /// Raw request-reply.
    Request(Outgoing),
    /// Raw core publish.
    Publish(Outgoing),
    /// JetStream publish with its acknowledgement.
    Submit(Outgoing),
    /// An entry of a key-value bucket.
    Kv(Kv),
    /// An object of an object store.
    Object(Object),
    /// A request to the web side of a service.
    Http(Http),
    /// Any program.
    Run(Program),
    /// Something breaks, or is mended.
    Fault(Fault),
    /// Until nothing is in flight in JetStream.
    Settle,
    /// The next message on a subject.
    ExpectMessage {
        /// May have wildcards.
        subject: String,
        /// There must be none.
        none: bool,
    },
    /// So many messages on a subject and no more, in any order.
    ExpectMessages {
        /// May have wildcards.
        subject: String,
        /// How many.
        count: u32,
    },
    /// So many lines of a service, or more.
    ExpectLog(LogCheck),
}

impl Action {
    /// The word in the fixture.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Call { .. } => "call",
            Self::Request(_) => "request",
            Self::Publish(_) => "publish",
            Self::Submit(_) => "submit",
            Self::Kv(_) => "kv",
            Self::Object(_) => "object",
            Self::Http(_) => "http",
            Self::Run(_) => "run",
            Self::Fault(_) => "fault",
            Self::Settle => "settle",
            Self::ExpectMessage { .. } => "expect_message",
            Self::ExpectMessages { .. } => "expect_messages",
            Self::ExpectLog(_) => "expect_log",
        }
    }

    /// The subject that it listens on, and whether a fence must show that nothing more comes.
    pub fn listens(&self) -> Option<(&str, bool)> {
        match self {
            Self::ExpectMessage { subject, none } => Some((subject, *none)),
            Self::ExpectMessages { subject, .. } => Some((subject, true)),
            _ => None,
        }
    }
}

/// A program that a step runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its working folder, from the suite's; the suite's if `None`.
    pub cwd: Option<String>,
    /// Added to its environment.
    pub env: BTreeMap<String, String>,
}

impl Program {
    /// All in it that may have `{{name}}` in it.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = self.words.iter().chain(&self.cwd).chain(self.env.values());
        texts.map(String::as_str)
    }
}

/// A message that a step sends.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub subject: String,
    /// What.
    pub payload: Payload,
    /// With which headers.
    pub headers: Headers,
    /// Of a `publish`: where whoever gets it is to reply.
    pub reply_to: Option<String>,
}

/// One expectation: the part of what was seen that it is about, and the pattern.
#[derive(Debug, Clone)]
pub struct Expect {
    /// `reply`, `error`, `ack`, `entry`, `status`, `headers`, `exit`, `stdout`, `stderr`, `body`, `bodies`.
    pub key: &'static str,
    /// Of its value.
    pub span: Span,
    /// With matchers and `{{variables}}` in it.
    pub pattern: Value,
    /// No other keys than those in the pattern.
    pub exact: bool,
}

impl Expect {
    /// With values that steps have saved.
    pub fn filled(&self, variables: &template::Variables) -> Self {
        Self { pattern: template::fill(&self.pattern, variables), ..self.clone() }
    }
}

/// A value kept for later steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// Used as `{{name}}`.
    pub name: String,
    /// JSON pointer into what was seen; empty is the whole.
    pub pointer: String,
}
