//! What becomes of which messages, and how many there were.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::frames::Message;
use super::kind::MessageKind;
use crate::broker::proxy::direction::Direction;
use crate::broker::subject::matches;
use crate::counted::counted;
use crate::process::clean;

/// Of so many subjects it is told how many messages passed.
const TOLD: usize = 12;
/// Of a message's body so much is told.
const EXCERPT: usize = 120;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lose,
    /// It arrives twice, one right behind the other.
    Duplicate,
    /// It arrives so much later; what comes behind it overtakes it.
    Delay(Duration),
    /// It changes places with the next one of its connection that matches.
    Swap,
    /// Its connection ends.
    Disconnect(Moment),
}

impl Fate {
    /// As a fixture has it: `lose`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lose => "lose",
            Self::Duplicate => "duplicate",
            Self::Delay(_) => "delay",
            Self::Swap => "swap",
            Self::Disconnect(_) => "disconnect",
        }
    }
}

/// When a connection ends: before a message has arrived, or right after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The message never arrives.
    Before,
    /// It arrives, and nothing more.
    After,
}

impl Moment {
    /// As a fixture has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Which messages; all that is said must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// What they are.
    pub kind: MessageKind,
    /// On this subject, or what they answer is; wildcards are allowed.
    pub subject: Option<String>,
    /// With this header: `Nats-Msg-Id`, or `Nats-Msg-Id: o-7`.
    pub header: Option<String>,
    /// With this text in the body.
    pub body: Option<String>,
    /// Which of those, counted from when the fault is there, over all connections.
    pub turn: Turn,
    /// How many of those; `None` is one of [`Turn::Nth`], and all of [`Turn::Every`].
    pub times: Option<u32>,
}

/// Which of the messages that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The n-th, and those that follow; 1 is the next.
    Nth(u32),
    /// The n-th, the 2n-th, and so on.
    Every(u32),
}

impl Matching {
    /// The next one of this kind.
    #[must_use]
    pub fn next(kind: MessageKind) -> Self {
        Self { kind, subject: None, header: None, body: None, turn: Turn::Nth(1), times: None }
    }

    /// On this subject, or in answer to a message on it; wildcards are allowed.
    #[must_use]
    pub fn on(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    fn is_about(&self, kind: MessageKind, subject: &[u8], message: &Message<'_>) -> bool {
        let has = |text: &String| {
            let text = text.as_bytes();
            text.is_empty() || message.body.windows(text.len()).any(|window| window == text)
        };
        self.kind == kind
            && self
                .subject
                .as_ref()
                .is_none_or(|wanted| matches(wanted, &String::from_utf8_lossy(subject)))
            && self.header.as_ref().is_none_or(|header| has_header(message.headers, header))
            && self.body.as_ref().is_none_or(has)
    }

    fn hits(&self, matched: u64) -> bool {
        match self.turn {
            Turn::Nth(nth) => matched >= u64::from(nth),
            Turn::Every(every) => matched.is_multiple_of(u64::from(every.max(1))),
        }
    }

    fn is_done(&self, hits: u64) -> bool {
        match (self.times, self.turn) {
            (Some(times), _) => hits >= u64::from(times),
            (None, Turn::Nth(_)) => hits >= 1,
            (None, Turn::Every(_)) => false,
        }
    }
}

/// `pub-ack on orders.>, every 10th, 3 times`.
impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(subject) = &self.subject {
            write!(f, " on {subject}")?;
        }
        if let Some(header) = &self.header {
            write!(f, " with {header}")?;
        }
        if let Some(body) = &self.body {
            write!(f, " with {body:?}")?;
        }
        match self.turn {
            Turn::Nth(1) => {}
            Turn::Nth(nth) => write!(f, ", the {}", ordinal(nth))?,
            Turn::Every(every) => write!(f, ", every {}", ordinal(every))?,
        }
        match self.times {
            Some(times) => write!(f, ", {}", counted(times, "time")),
            None => Ok(()),
        }
    }
}

/// `3rd`.
pub(in crate::broker) fn ordinal(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// A line of the block has this name, and this value if one is said.
fn has_header(block: &[u8], wanted: &str) -> bool {
    let (name, value) = match wanted.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (wanted, None),
    };
    block.split(|byte| *byte == b'\n').skip(1).any(|line| {
        let line = String::from_utf8_lossy(line);
        let Some((has, is)) = line.split_once(':') else { return false };
        has == name && value.is_none_or(|value| is.trim() == value)
    })
}

/// A message that a fault hit: `lose pub-ack on orders.new: {"stream":"ORDERS","seq":1}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What became of it.
    pub fate: Fate,
    /// What it was.
    pub kind: MessageKind,
    /// Its subject, or that of what it answered.
    pub subject: String,
    /// The subject that it goes to: of a reply, the inbox of whoever asked.
    pub to: String,
    /// The beginning of its body, without control characters.
    pub body: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.fate.word(), self.kind, self.subject)?;
        match self.body.as_str() {
            "" => Ok(()),
            body => write!(f, ": {body}"),
        }
    }
}

/// Who is told of each message that is hit, at once; it must not block.
pub type Heard = Arc<dyn Fn(&Hit) + Send + Sync>;

/// A fault by message, as it goes on: it is shared by all connections that it may hit.
pub struct MessageRule {
    fate: Fate,
    matching: Matching,
    heard: Heard,
    replies_as_sent: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    matched: u64,
    hits: u64,
    /// Held back, until another one comes.
    held: u64,
    /// What passed and did not match.
    instead: Vec<(MessageKind, String, u64)>,
    /// There is a connection that cannot be read.
    is_blind: bool,
}

impl MessageRule {
    pub(in crate::broker) fn new(fate: Fate, matching: Matching, heard: Heard) -> Self {
        Self { fate, matching, heard, replies_as_sent: false, state: Mutex::default() }
    }

    /// A reply that passes one proxy as it is sent and another one as it is received is one message:
    /// it counts where it is sent.
    pub(in crate::broker) fn replies_as_sent(self, replies_as_sent: bool) -> Self {
        Self { replies_as_sent, ..self }
    }

    /// Whether a message on its way in this direction is looked at.
    pub(super) fn looks_at(&self, kind: MessageKind, direction: Direction) -> bool {
        let is_received = (kind, direction) == (MessageKind::Reply, Direction::ToClient);
        !(self.replies_as_sent && is_received)
    }

    pub(super) fn fate(&self) -> Fate {
        self.fate
    }

    /// Nothing more becomes of any message.
    pub(in crate::broker::proxy) fn is_over(&self) -> bool {
        self.matching.is_done(self.state().hits)
    }

    /// How many messages it has hit.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.state().hits
    }

    /// Whether a message is hit. It counts.
    pub(super) fn hits_message(
        &self,
        kind: MessageKind,
        subject: &[u8],
        message: &Message<'_>,
    ) -> bool {
        let is_about = self.matching.is_about(kind, subject, message);
        {
            let mut state = self.state();
            if !is_about {
                state.passed(kind, subject);
                return false;
            }
            state.matched += 1;
            if self.matching.is_done(state.hits) || !self.matching.hits(state.matched) {
                return false;
            }
            state.hits += 1;
            state.held += u64::from(self.fate == Fate::Swap);
        }
        let beginning = &message.body[..message.body.len().min(EXCERPT)];
        let body = clean(&String::from_utf8_lossy(beginning));
        let [subject, to] =
            [subject, message.subject].map(|of| clean(&String::from_utf8_lossy(of)));
        (self.heard)(&Hit { fate: self.fate, kind, subject, to, body });
        true
    }

    /// Whether a message may change places with one that is held. It counts.
    pub(super) fn changes_places(
        &self,
        kind: MessageKind,
        subject: &[u8],
        message: &Message<'_>,
    ) -> bool {
        let changes = self.matching.is_about(kind, subject, message);
        if changes {
            let mut state = self.state();
            state.matched += 1;
            state.held -= 1;
        }
        changes
    }

    /// A connection cannot be read: whatever it carries passes.
    pub(super) fn is_blind(&self) {
        self.state().is_blind = true;
    }

    /// Why it has not done what it was there for, if it has not.
    #[must_use]
    pub fn unmet(&self) -> Option<String> {
        let state = self.state();
        let mut why = match (state.matched, state.hits) {
            (_, 1..) if state.held > 0 => {
                "held a message back, and none came after it that matches".to_owned()
            }
            (_, hits @ 1..) => match self.matching.times.map(u64::from) {
                Some(times) if hits < times => {
                    format!("hit {} of {times}", counted(hits, "message"))
                }
                _ => return None,
            },
            (0, _) => "matched nothing".to_owned(),
            (matched, _) => format!("matched {} and hit none", counted(matched, "message")),
        };
        let passed: Vec<String> = state
            .instead
            .iter()
            .map(|(kind, subject, count)| format!("{count} × {kind} on {subject}"))
            .collect();
        why.push_str("; what passed instead: ");
        why.push_str(&match passed.is_empty() {
            true => "nothing: a message is seen where its sender or receiver connects to the URL that it is \
                     given (a service: NATS_URL, or `{{nats_url}}` in its own command and `env`)"
                .to_owned(),
            false => passed.join(", "),
        });
        if state.is_blind {
            why.push_str("; one connection could not be read: it is encrypted, or speaks no NATS");
        }
        Some(why)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MessageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}", self.fate.word(), self.matching, self.state())
    }
}

impl State {
    fn passed(&mut self, kind: MessageKind, subject: &[u8]) {
        let same =
            |told: &&mut (MessageKind, String, u64)| told.0 == kind && told.1.as_bytes() == subject;
        if let Some((.., count)) = self.instead.iter_mut().find(same) {
            *count += 1;
        } else if self.instead.len() < TOLD {
            let subject = clean(&String::from_utf8_lossy(subject));
            self.instead.push((kind, subject, 1));
        }
    }
}
