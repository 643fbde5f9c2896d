//! What a frame is to those who speak: pure.
//!
//! A reply is known by the question: by its reply subject, which went the other way before. The rest
//! is told by subjects and bodies (ADR-15 for `$JS.ACK`; nats-server's JSPubAckResponse).

use std::collections::{HashMap, VecDeque};
use std::fmt;

use super::frames::Message;
use crate::broker::proxy::direction::Direction;

/// So many questions are remembered; a reply to an older one is not known as such.
const QUESTIONS: usize = 1 << 16;

/// What a message is to those who speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// A client publishes: to a stream, to subscribers, or a request.
    Publish,
    /// A stream says that it has a message, or why not.
    PubAck,
    /// The server hands a message to a subscriber: of a stream or not; to a service a request.
    Delivery,
    /// A message of a stream is done: an empty body, `+ACK` or `+NXT`.
    Ack,
    /// It is not: `-NAK`, or `+TERM` where it never will be.
    Nak,
    /// What a service answers, as it sends it, or as who asked receives it.
    Reply,
}

impl MessageKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Publish, Self::PubAck, Self::Delivery, Self::Ack, Self::Nak, Self::Reply];

    /// As a fixture has it: `pub-ack`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::PubAck => "pub-ack",
            Self::Delivery => "delivery",
            Self::Ack => "ack",
            Self::Nak => "nak",
            Self::Reply => "reply",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which subjects of one connection are answers to what.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// What was asked, by the reply subject.
    asked: HashMap<Vec<u8>, Vec<u8>>,
    oldest: VecDeque<Vec<u8>>,
}

impl Questions {
    /// Remembers whom an answer to this message would be for.
    pub(super) fn ask(&mut self, message: &Message<'_>) {
        if message.reply.is_empty() {
            return;
        }
        if self.asked.insert(message.reply.to_vec(), message.subject.to_vec()).is_none() {
            self.oldest.push_back(message.reply.to_vec());
        }
        if self.oldest.len() > QUESTIONS
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.asked.remove(&oldest);
        }
    }

    fn asked(&self, subject: &[u8]) -> Option<&[u8]> {
        self.asked.get(subject).map(Vec::as_slice)
    }

    /// What a message is, and on which subject: that of the question where it is an answer. `None` is
    /// the client's or the server's own business, as a request for more messages, or a status.
    pub(super) fn kind<'a>(
        &'a self,
        message: &Message<'a>,
        direction: Direction,
    ) -> Option<(MessageKind, &'a [u8])> {
        match direction {
            Direction::ToServer => self.sent(message),
            Direction::ToClient => self.received(message),
        }
    }

    fn sent<'a>(&'a self, message: &Message<'a>) -> Option<(MessageKind, &'a [u8])> {
        let subject = message.subject;
        if subject.starts_with(b"$JS.ACK.") {
            let kind = acknowledges(message.body)?;
            return Some((kind, self.asked(subject).unwrap_or(subject)));
        }
        match self.asked(subject) {
            Some(asked) if is_internal(asked) => None,
            Some(asked) => Some((MessageKind::Reply, asked)),
            None if is_internal(subject) || is_inbox(subject) => None,
            None => Some((MessageKind::Publish, subject)),
        }
    }

    fn received<'a>(&'a self, message: &Message<'a>) -> Option<(MessageKind, &'a [u8])> {
        let subject = message.subject;
        if message.reply.starts_with(b"$JS.ACK.") {
            return Some((MessageKind::Delivery, subject));
        }
        match self.asked(subject) {
            Some(asked) if is_internal(asked) || is_status(message) => None,
            Some(asked) if is_of_a_stream(message.body) => Some((MessageKind::PubAck, asked)),
            Some(asked) => Some((MessageKind::Reply, asked)),
            None if is_internal(subject) || is_inbox(subject) => None,
            None => Some((MessageKind::Delivery, subject)),
        }
    }
}

/// `+WPI` asks for more time: neither.
fn acknowledges(body: &[u8]) -> Option<MessageKind> {
    match body {
        b"" => Some(MessageKind::Ack),
        _ if body.starts_with(b"+ACK") || body.starts_with(b"+NXT") => Some(MessageKind::Ack),
        _ if body.starts_with(b"-NAK") || body.starts_with(b"+TERM") => Some(MessageKind::Nak),
        _ => None,
    }
}

/// What the server and client libraries say to each other. `$KV` and `$O` are streams' subjects.
fn is_internal(subject: &[u8]) -> bool {
    [b"$JS.".as_slice(), b"$SRV.", b"$SYS."].iter().any(|prefix| subject.starts_with(prefix))
}

/// As an echo to oneself.
fn is_inbox(subject: &[u8]) -> bool {
    subject.starts_with(b"_INBOX")
}

/// `NATS/1.0 503`: no responders, and what else the server says in a header.
fn is_status(message: &Message<'_>) -> bool {
    message.body.is_empty() && message.headers.starts_with(b"NATS/1.0 ")
}

/// What a stream answers: it says which it is, and the sequence.
fn is_of_a_stream(body: &[u8]) -> bool {
    let has = |key: &[u8]| body.windows(key.len()).any(|window| window == key);
    (body.starts_with(b"{\"stream\":") || body.starts_with(b"{\"error\":"))
        && has(b"\"stream\":")
        && has(b"\"seq\":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::proxy::messages::frames::Frame;

    /// As nats-server and its clients write it: a line each, `>` is sent and `<` received; then what it
    /// is and on which subject.
    const TRAFFIC: &[(&str, &str)] = &[
        ("< INFO {\"server_id\":\"N\",\"headers\":true}\r\n", ""),
        ("> CONNECT {\"verbose\":false,\"lang\":\"rust\"}\r\n", ""),
        ("> SUB _INBOX.c.* 1\r\n", ""),
        ("> PUB orders.new _INBOX.c.1 8\r\n{\"id\":1}\r\n", "publish orders.new"),
        ("< MSG _INBOX.c.1 1 27\r\n{\"stream\":\"ORDERS\",\"seq\":1}\r\n", "pub-ack orders.new"),
        (
            "> HPUB orders.new _INBOX.c.2 30 30\r\nNATS/1.0\r\nNats-Msg-Id: a-1\r\n\r\n\r\n",
            "publish orders.new",
        ),
        (
            "< MSG _INBOX.c.2 1 44\r\n{\"stream\":\"ORDERS\",\"seq\":1,\"duplicate\":true}\r\n",
            "pub-ack orders.new",
        ),
        ("> PUB orders.none _INBOX.c.3 0\r\n\r\n", "publish orders.none"),
        ("< HMSG _INBOX.c.3 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", ""),
        ("> PUB $JS.API.CONSUMER.MSG.NEXT.ORDERS.worker _INBOX.c.4 12\r\n{\"batch\":10}\r\n", ""),
        (
            "< MSG orders.new 1 $JS.ACK.ORDERS.worker.1.1.1.1764360000000000000.0 8\r\n{\"id\":1}\r\n",
            "delivery orders.new",
        ),
        ("> PUB $JS.ACK.ORDERS.worker.1.1.1.1764360000000000000.0 4\r\n+WPI\r\n", ""),
        ("> PUB $JS.ACK.ORDERS.worker.1.1.1.1764360000000000000.0 4\r\n+ACK\r\n", "ack orders.new"),
        (
            "> PUB $JS.ACK.ORDERS.worker.1.1.1.1764360000000000000.0 21\r\n-NAK {\"delay\": 10000}\r\n",
            "nak orders.new",
        ),
        (
            "> PUB $JS.ACK.O.w.1.9.9.1764360000000000000.0 0\r\n\r\n",
            "ack $JS.ACK.O.w.1.9.9.1764360000000000000.0",
        ),
        ("< HMSG _INBOX.c.4 1 32 32\r\nNATS/1.0 408 Request Timeout\r\n\r\n\r\n", ""),
        ("> PUB math.add _INBOX.c.5 5\r\n[1,2]\r\n", "publish math.add"),
        ("< MSG _INBOX.c.5 1 1\r\n3\r\n", "reply math.add"),
        ("< MSG math.add 2 _R_.x.y 5\r\n[1,2]\r\n", "delivery math.add"),
        ("> PUB _R_.x.y 1\r\n3\r\n", "reply math.add"),
        ("< MSG $SRV.PING.math 3 _INBOX.h.1 0\r\n\r\n", ""),
        ("> PUB _INBOX.h.1 2\r\n{}\r\n", ""),
        ("> PUB _INBOX.barrier.1 1\r\nx\r\n", ""),
        ("< MSG _INBOX.barrier.1 4 1\r\nx\r\n", ""),
        ("> PUB $KV.profiles.ann _INBOX.c.6 1\r\nx\r\n", "publish $KV.profiles.ann"),
        ("< PING\r\n", ""),
    ];

    #[test]
    fn real_traffic_is_told_apart() {
        let mut questions = Questions::default();
        for (line, expected) in TRAFFIC {
            let direction = match &line[..2] {
                "> " => Direction::ToServer,
                _ => Direction::ToClient,
            };
            let bytes = &line[2..];
            let frame = Frame::first(bytes.as_bytes()).unwrap().unwrap_or_else(|| panic!("{line}"));
            assert_eq!(frame.bytes.len(), bytes.len(), "{line}");
            let kind =
                frame.message.as_ref().and_then(|message| questions.kind(message, direction));
            let told =
                kind.map(|(kind, subject)| format!("{kind} {}", String::from_utf8_lossy(subject)));
            assert_eq!(told.unwrap_or_default(), *expected, "{line}");
            frame.message.iter().for_each(|message| questions.ask(message));
        }
    }
}
