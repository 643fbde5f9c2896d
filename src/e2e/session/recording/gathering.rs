//! Puts together what belongs together: a request and its replies, a message in a stream and who is done
//! with it. It knows no connection.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::heard::{Ack, Content, End, Heard, Recording, Reply};
use crate::e2e::driver::raw::acknowledgement;
use crate::e2e::record::delivery::{ACKNOWLEDGE, Delivery};
use crate::e2e::text::data::Data;
use crate::wire::driver::Headers;

/// What a stream adds to a message that it sends on to another subject.
const OF_STREAM: &str = "Nats-Stream";
/// More replies to one message are not kept.
const MOST_REPLIES: usize = 100;
/// Replies that came before their requests; more are not kept.
const MOST_EARLY: usize = 1000;
/// Where workers ask for messages: `<stream>.<consumer>` follows.
pub(super) const PULL: &str = "$JS.API.CONSUMER.MSG.NEXT.";
/// How long the names are that client libraries draw, and what of them is the program's.
const NUID: usize = 22;
const OF_PROGRAM: usize = 12;
/// More bytes of messages are not kept.
const MOST_BYTES: usize = 64 << 20;

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Came {
    pub(super) subject: String,
    pub(super) reply_to: Option<String>,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    /// A status of the server, as "no responders": no message of anybody.
    pub(super) is_status: bool,
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    at: u64,
    messages: Vec<Heard>,
    bytes: usize,
    /// Which message waits for replies on a subject.
    waiting: HashMap<String, usize>,
    /// Replies whose requests were not heard yet: they come by another subscription.
    early: Vec<(String, Reply)>,
    /// Which message has which number in a stream.
    stored: BTreeMap<(String, u64), usize>,
    /// Which programs ask for the messages of a consumer of a stream.
    pulls: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Gathering {
    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    /// Whether one of the requests since then has no reply yet.
    pub(super) fn waits(&self, since: u64) -> bool {
        let recent = self.messages.iter().rev().take_while(|heard| heard.at >= since);
        recent.into_iter().any(|heard| heard.reply_to.is_some() && heard.replies.is_empty())
    }

    /// A message on one of the subjects. Returns where its replies will come.
    pub(super) fn message(&mut self, came: Came) -> Option<&str> {
        self.at += 1;
        // A stream delivers to a subject of somebody's choice, with the subject that the message has.
        if came.is_status || is_delivery(&came) {
            return None;
        }
        if let Some(&of) = self.waiting.get(&came.subject) {
            self.reply(of, came);
            return None;
        }
        let number = self.messages.len();
        let mut heard = Heard {
            at: self.at,
            content: content(&came),
            subject: came.subject,
            reply_to: came.reply_to,
            ..Heard::default()
        };
        self.bytes += heard.content.bytes;
        if let Some(reply_to) = &heard.reply_to {
            self.waiting.insert(reply_to.clone(), number);
            let early = self.early.extract_if(.., |(subject, _)| subject == reply_to);
            heard.replies = early.map(|(_, reply)| reply).collect();
        }
        self.messages.push(heard);
        self.note_stored(number);
        self.messages[number].reply_to.as_deref()
    }

    /// A message in somebody's inbox: a reply, or a delivery of a stream.
    pub(super) fn in_inbox(&mut self, came: Came) {
        self.at += 1;
        if came.is_status {
            return;
        }
        if is_delivery(&came) {
            return self.delivered(&came);
        }
        match self.waiting.get(&came.subject) {
            Some(&of) => self.reply(of, came),
            None if self.early.len() < MOST_EARLY => {
                let subject = came.subject.clone();
                let reply = self.read(came);
                self.early.push((subject, reply));
            }
            None => {}
        }
    }

    /// A worker's word on a delivery.
    pub(super) fn acknowledged(&mut self, subject: &str, word: &[u8]) {
        self.at += 1;
        // It is still at work, or wants the message again.
        if word.starts_with(b"+WPI") || word.starts_with(b"-NAK") {
            return;
        }
        let of = number_of(subject).and_then(|key| self.stored.get(&key));
        if let Some(&of) = of {
            self.messages[of].done = Some(self.at);
            let pulls = Delivery::of(subject)
                .and_then(|one| self.pulls.get(&(one.stream.to_owned(), one.consumer.to_owned())));
            self.messages[of].workers = pulls.cloned().unwrap_or_default();
        }
    }

    /// A worker asks for messages of a consumer.
    pub(super) fn pulled(&mut self, subject: &str, reply_to: Option<&str>) {
        let consumer = subject.strip_prefix(PULL).and_then(|rest| rest.split_once('.'));
        if let (Some((stream, consumer)), Some(program)) = (consumer, reply_to.and_then(program_of))
        {
            let key = (stream.to_owned(), consumer.to_owned());
            self.pulls.entry(key).or_default().insert(program.to_owned());
        }
    }

    /// All of it. What has no reply by now may be answered later, if it came since then.
    pub(super) fn end(self, end: End, unheard: Vec<String>, since: u64) -> Recording {
        let mut messages = self.messages;
        for heard in &mut messages {
            heard.under_way = heard.replies.is_empty() && heard.at >= since;
        }
        Recording { messages, unheard, end, ..Recording::default() }
    }

    /// The number of what was heard last.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn reply(&mut self, of: usize, came: Came) {
        let reply = self.read(came);
        if self.messages[of].replies.len() < MOST_REPLIES {
            self.messages[of].replies.push(reply);
        }
        self.note_stored(of);
    }

    fn read(&mut self, came: Came) -> Reply {
        let ack = match acknowledgement(&came.body) {
            Some(Ok(acknowledged)) if acknowledged.others.is_empty() => {
                let ack = acknowledged.ack;
                Some(Ack::Stored {
                    stream: ack.stream,
                    sequence: ack.sequence,
                    duplicate: ack.duplicate,
                })
            }
            // A service may say `error` too, but has no number of JetStream's for it.
            Some(Err(error)) if error.error_code().0 != 0 => Some(Ack::Refused),
            _ => None,
        };
        let content = content(&came);
        self.bytes += content.bytes;
        Reply { at: self.at, content, ack }
    }

    /// A stream has said under which number it has a message.
    fn note_stored(&mut self, number: usize) {
        let acks = self.messages[number].replies.iter().filter_map(|reply| reply.ack.as_ref());
        let mut stored = acks.filter_map(|ack| match ack {
            Ack::Stored { stream, sequence, duplicate: false } => Some((stream.clone(), *sequence)),
            _ => None,
        });
        if let Some(key) = stored.next_back() {
            self.stored.insert(key.clone(), number);
            self.messages[number].stored = Some(key);
        }
    }

    /// A delivery tells the number of a message whose publisher did not ask for it: the first such
    /// message with this content.
    fn delivered(&mut self, came: &Came) {
        let Some(key) = came.reply_to.as_deref().and_then(number_of) else { return };
        if self.stored.contains_key(&key) {
            return;
        }
        let content = content(came);
        let same = |heard: &Heard| {
            heard.stored.is_none() && heard.subject == came.subject && heard.content == content
        };
        let found = self.messages.iter_mut().enumerate().find(|(_, heard)| same(heard));
        if let Some((number, heard)) = found {
            heard.stored = Some(key.clone());
            self.stored.insert(key, number);
        }
    }
}

/// Which program has drawn this inbox. Client libraries make names of 22 letters and digits (NUID), of which
/// the first 12 stay the same as long as a program runs.
pub(super) fn program_of(inbox: &str) -> Option<&str> {
    let mut words = inbox.split('.');
    let is_inbox = words.next().is_some_and(|first| first.starts_with("_INBOX"));
    let drawn = words.next().filter(|word| is_inbox && word.len() == NUID)?;
    let is_drawn = drawn.bytes().all(|c| c.is_ascii_alphanumeric());
    is_drawn.then(|| &drawn[..OF_PROGRAM])
}

/// Whether a stream delivers it, and nobody sent it to this subject.
fn is_delivery(came: &Came) -> bool {
    came.reply_to.as_ref().is_some_and(|to| to.starts_with(ACKNOWLEDGE))
}

/// Whether a stream has sent it on to this subject.
pub(super) fn is_of_stream(headers: &Headers) -> bool {
    headers.contains_key(OF_STREAM)
}

fn content(came: &Came) -> Content {
    Content { headers: came.headers.clone(), body: Data::read(&came.body), bytes: came.body.len() }
}

/// The stream and the number in it of a delivery, by its reply subject.
fn number_of(subject: &str) -> Option<(String, u64)> {
    let delivery = Delivery::of(subject)?;
    Some((delivery.stream.to_owned(), delivery.sequence))
}
