//! At which message a service is killed: pure data, and its one form as text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::broker::{MessageKind, Moment};
use crate::e2e::text::error::nearest;
use crate::e2e::text::span::Span;

/// Which service is looked after message by message, and at which it is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Its name.
    pub service: String,
    /// Where all of its processes are killed, and started again; `None` is nowhere: its messages are
    /// only told.
    pub at: Option<Point>,
}

/// `[explore]`: the scenario is also run once for each message of a service, which is killed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explore {
    /// Its name.
    pub service: String,
    /// At most so many points.
    pub points: usize,
    /// Where the fixture says so.
    pub span: Span,
}

/// A message of a service, as others of its kind on its subject are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The service sends it; else it receives it.
    pub is_sent: bool,
    /// What it is.
    pub kind: MessageKind,
    /// Its subject, or that of what it answers.
    pub subject: String,
}

/// `sends ack on orders.new`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_sent { "sends" } else { "receives" };
        write!(f, "{verb} {} on {}", self.kind, self.subject)
    }
}

/// A place in a run at which a service can be killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// At which message,
    pub message: Message,
    /// the how many-th of those, from 1,
    pub nth: u32,
    /// before it passes, or right after.
    pub moment: Moment,
}

/// What a service gets as the answer to a request of its own.
const RECEIVED_REPLY: &str = "received-reply";

/// `after:ack:orders.new:3`, as it is read again.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, nth, moment } = self;
        let kind = match (message.kind, message.is_sent) {
            (MessageKind::Reply, false) => RECEIVED_REPLY,
            (kind, _) => kind.word(),
        };
        write!(f, "{}:{kind}:{}:{nth}", moment.word(), message.subject)
    }
}

/// Why a text is no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// It has another form.
    #[error(
        "expected MOMENT:KIND:SUBJECT:N, as in before:ack:orders.new:3 for the third acknowledgement"
    )]
    Form,
    /// It has a word that is none.
    #[error("`{word}` is none of {known}{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Word {
        /// Which.
        word: String,
        /// Those that are.
        known: String,
        /// What is near.
        near: Option<String>,
    },
}

impl PointError {
    fn word(word: &str, known: &[&str]) -> Self {
        let near = nearest(word, known.iter().copied()).map(str::to_owned);
        Self::Word { word: word.to_owned(), known: known.join(", "), near }
    }
}

impl FromStr for Point {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let (moment, rest) = text.split_once(':').ok_or(PointError::Form)?;
        let (kind, rest) = rest.split_once(':').ok_or(PointError::Form)?;
        let (subject, nth) = rest.rsplit_once(':').ok_or(PointError::Form)?;
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or(PointError::Form)?;
        if subject.is_empty() {
            return Err(PointError::Form);
        }
        let moments = [Moment::Before, Moment::After];
        let moment = moments
            .into_iter()
            .find(|known| known.word() == moment)
            .ok_or_else(|| PointError::word(moment, &moments.map(Moment::word)))?;
        let (kind, is_sent) = match kind {
            RECEIVED_REPLY => (MessageKind::Reply, false),
            word => {
                let known = MessageKind::ALL.into_iter().find(|kind| kind.word() == word);
                let kind = known.ok_or_else(|| {
                    let words = MessageKind::ALL.map(MessageKind::word);
                    PointError::word(word, &[&words[..], &[RECEIVED_REPLY]].concat())
                })?;
                (kind, !matches!(kind, MessageKind::PubAck | MessageKind::Delivery))
            }
        };
        let message = Message { is_sent, kind, subject: subject.to_owned() };
        Ok(Self { message, nth, moment })
    }
}

/// Before and after each of these messages, in their order.
pub fn points(messages: &[Message]) -> Vec<Point> {
    let mut counts: BTreeMap<&Message, u32> = BTreeMap::new();
    let mut points = Vec::with_capacity(2 * messages.len());
    for message in messages {
        let nth = counts.entry(message).or_default();
        *nth += 1;
        points.extend([Moment::Before, Moment::After].map(|moment| Point {
            message: message.clone(),
            nth: *nth,
            moment,
        }));
    }
    points
}

/// At most so many of them, in their order: of each kind of message on each subject the first before
/// the second, and so on, so that no kind is left out for the many of another one.
pub fn bounded(points: Vec<Point>, most: usize) -> Vec<Point> {
    let mut places: Vec<(usize, &Point)> = points.iter().enumerate().collect();
    places.sort_by_key(|(at, point)| (point.nth, *at));
    places.truncate(most);
    places.sort_by_key(|(at, _)| *at);
    places.into_iter().map(|(_, point)| point.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(is_sent: bool, kind: MessageKind, subject: &str) -> Message {
        Message { is_sent, kind, subject: subject.to_owned() }
    }

    #[test]
    fn every_point_is_read_as_it_is_written() {
        let mut messages: Vec<Message> = MessageKind::ALL
            .into_iter()
            .map(|kind| {
                let is_sent = !matches!(kind, MessageKind::PubAck | MessageKind::Delivery);
                message(is_sent, kind, "orders.new")
            })
            .collect();
        messages.push(message(false, MessageKind::Reply, "prices:v1.get"));
        messages.push(messages[0].clone());
        let points = points(&messages);
        assert_eq!(points.len(), 16);
        for point in &points {
            assert_eq!(point.to_string().parse().as_ref(), Ok(point));
        }
        assert_eq!(points[14].to_string(), "before:publish:orders.new:2");
    }

    #[test]
    fn what_is_no_point_is_told() {
        let read = |text: &str| text.parse::<Point>().unwrap_err().to_string();
        assert!(read("after:akc:orders.new:1").ends_with("did you mean `ack`?"));
        assert!(read("afer:ack:orders.new:1").ends_with("did you mean `after`?"));
        for bad in ["", "after", "after:ack", "after:ack:x", "after:ack:x:0", "after:ack::1"] {
            assert!(read(bad).starts_with("expected MOMENT:KIND:SUBJECT:N"), "{bad}");
        }
    }

    #[test]
    fn a_bound_leaves_no_kind_of_message_out() {
        let (ack, reply) = (
            message(true, MessageKind::Ack, "orders.new"),
            message(true, MessageKind::Reply, "orders.get"),
        );
        let mut messages = vec![ack; 50];
        messages.push(reply.clone());
        let all = points(&messages);
        let few = bounded(all.clone(), 6);
        assert_eq!(few.len(), 6);
        assert_eq!(few.iter().filter(|point| point.message == reply).count(), 2);
        assert!(few.is_sorted_by_key(|point| all.iter().position(|other| other == point)));
        assert_eq!(bounded(all.clone(), 1000), all);
    }
}
