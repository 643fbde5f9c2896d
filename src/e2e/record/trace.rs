//! The course of a run, as plain data on one clock, which reports draw. All of it is bounded.

use std::sync::Arc;

/// What is known of a scenario before it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What it proves, one sentence.
    pub description: String,
    /// The fixture, as shown to people.
    pub path: Arc<str>,
    /// Its faults, in order, each once: `kill-broker`, …
    pub faults: Vec<&'static str>,
}

/// How a run went. All times are nanoseconds since the run's clock was started, after the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What crossed the broker, in order.
    pub messages: Bounded<Message>,
    /// Why messages were not read; `None` if they were.
    pub untraced: Option<&'static str>,
    /// What was broken on purpose.
    pub faults: Bounded<Fault>,
    /// What oracles found, and which results clients got.
    pub effects: Bounded<Effect>,
    /// Who takes part beside client, broker and services, from left to right.
    pub lanes: Vec<Party>,
    /// Lines of all processes, by time.
    pub logs: Bounded<LogLine>,
}

impl Trace {
    /// Changes each text that came from outside.
    pub fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        for step in &mut self.steps {
            change(&mut step.heading);
            change(&mut step.block);
        }
        for message in &mut self.messages.kept {
            change(&mut message.subject);
            change(&mut message.text);
        }
        self.faults.kept.iter_mut().for_each(|fault| change(&mut fault.name));
        self.effects.kept.iter_mut().for_each(|effect| change(&mut effect.text));
        for line in &mut self.logs.kept {
            change(&mut line.source);
            change(&mut line.text);
        }
    }
}

/// The first of many, and how many more there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounded<T> {
    /// So many are kept.
    pub kept: Vec<T>,
    /// So many are not.
    pub more: usize,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), more: 0 }
    }
}

impl<T> Bounded<T> {
    /// The first `most` of them.
    pub fn first(most: usize, mut all: Vec<T>) -> Self {
        let more = all.len().saturating_sub(most);
        all.truncate(most);
        Self { kept: all, more }
    }
}

/// A step, a check, or the drain between the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it began.
    pub at_ns: u64,
    /// How long it took.
    pub took_ns: u64,
    /// Line of the fixture, from 1; `None` for what no fixture asks for.
    pub line: Option<usize>,
    /// `call`, `request`, `check`, …
    pub verb: &'static str,
    /// What was done, one line.
    pub heading: String,
    /// Its part of the transcript.
    pub block: String,
    /// The run ended here, before its end.
    pub stopped_here: bool,
}

/// Who takes part in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// The client under test, or a program of a `run` step.
    Client,
    /// The broker, with its streams.
    Broker,
    /// Any of the service processes.
    Services,
    /// A stream that is drawn apart from the broker.
    Stream(&'static str),
    /// A system that the services call outside NATS.
    Outside(&'static str),
}

/// Somebody who takes part beside client, broker and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Who.
    pub party: Party,
    /// Where the subjects of a stream begin.
    pub subjects: Option<&'static str>,
}

impl Party {
    /// As shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Broker => "broker",
            Self::Services => "services",
            Self::Stream(name) | Self::Outside(name) => name,
        }
    }
}

/// One message that crossed the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When the broker had it.
    pub at_ns: u64,
    /// Who sent it; the broker where it came out of a stream.
    pub from: Party,
    /// Who got it; the broker where nobody did, or a stream.
    pub to: Party,
    /// What it is.
    pub kind: Kind,
    /// As published.
    pub subject: String,
    /// The beginning of its body, one line, free of control characters.
    pub text: String,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It asks for a reply.
    Request {
        /// Whether the broker saw a reply.
        answered: bool,
    },
    /// The reply to a request.
    Reply {
        /// It carries an error.
        error: bool,
    },
    /// Nobody is asked to answer.
    Publish,
    /// For a stream, which acknowledged it.
    Submit,
    /// The stream has it.
    Stored {
        /// Which stream.
        stream: String,
        /// Where in it.
        sequence: u64,
        /// It had the message already, by its id.
        duplicate: bool,
    },
    /// From a stream to a worker.
    Delivery {
        /// Which stream.
        stream: String,
        /// Where in it.
        sequence: u64,
        /// 1 the first time.
        attempt: u64,
    },
    /// A worker's acknowledgement of a delivery: `+ACK`, `-NAK`, `+TERM`.
    Settled {
        /// The word.
        word: String,
        /// Which stream.
        stream: String,
        /// Where in it.
        sequence: u64,
    },
    /// The broker published it again, as a stream's settings say.
    Event,
}

/// Something broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `kill-broker`, …
    pub name: String,
    /// From here.
    pub begin_ns: u64,
    /// Until the fault had ended and everything had recovered; `None` if the run ended before.
    pub end_ns: Option<u64>,
}

/// An effect, as seen in a journal, in a stream or by a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// When it happened.
    pub at_ns: u64,
    /// Whose word it is.
    pub at: Party,
    /// What happened, one line.
    pub text: String,
}

/// A line of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// By the process's own clock where it says the time, else when it was read.
    pub at_ns: u64,
    /// `broker`, `services`, `driver python`.
    pub source: String,
    /// Free of control characters.
    pub text: String,
}
