//! Replies by the inbox to which they came: a request takes one, and a second is to be told.

use std::collections::{HashMap, VecDeque};

use crate::e2e::driver::raw::acknowledgement;
use crate::e2e::record::history::event::Answers;
use crate::wire::headers::bounded;

/// A survey of services is answered by all of them, and what the broker's interface says comes from the
/// leader of the moment, which may be another one a moment later.
const OF_MANY: [&[u8]; 2] = [b"\"io.nats.micro.v1.", b"\"io.nats.jetstream.api.v1."];
/// So many inboxes are remembered: a second reply comes soon after the first.
const REMEMBERED: usize = 50_000;
/// So much of a reply is kept.
const SHOWN: usize = 200;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::e2e) enum By {
    /// The server itself.
    Server,
    /// A service, asked by a survey of all services or by a request.
    Service {
        /// Each of them answers.
        is_survey: bool,
    },
    /// One of them.
    Somebody,
}

/// What came so far.
#[derive(Default)]
pub(in crate::e2e) struct Heard {
    /// When the first came, and what did.
    replies: HashMap<String, (u64, Answers)>,
    in_order: VecDeque<String>,
    more_than_one: Vec<String>,
}

impl Heard {
    /// One more reply.
    pub(in crate::e2e) fn hear(&mut self, inbox: &str, payload: &[u8], by: By, at_ns: u64) {
        if let Some((_, answers)) = self.replies.get_mut(inbox) {
            let body = start(payload);
            let is_excused = match by {
                By::Service { is_survey } => is_survey,
                By::Server | By::Somebody => {
                    of_many(payload) || acknowledged_again(&answers.first, &body)
                }
            };
            if is_excused {
                return;
            }
            answers.in_all += 1;
            if answers.in_all == 2 {
                answers.second = body;
                self.more_than_one.push(inbox.to_owned());
            }
            return;
        }
        if self.in_order.len() == REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
            && self.replies.get(&oldest).is_some_and(|(_, answers)| answers.in_all == 1)
        {
            self.replies.remove(&oldest);
        }
        self.in_order.push_back(inbox.to_owned());
        let (first, second, in_all) = (start(payload), String::new(), 1);
        let answers = Answers { inbox: inbox.to_owned(), first, second, in_all };
        self.replies.insert(inbox.to_owned(), (at_ns, answers));
    }

    /// The inboxes to which more than one came, and when the first did.
    pub(in crate::e2e) fn again(&self) -> Vec<(u64, Answers)> {
        self.more_than_one.iter().filter_map(|inbox| self.replies.get(inbox).cloned()).collect()
    }
}

/// Whether more of its kind may come to one request, or the broker itself says it.
fn of_many(body: &[u8]) -> bool {
    OF_MANY.iter().any(|told| body.windows(told.len()).any(|part| part == *told))
}

/// Whether a stream says once more that it stored one and the same message. In a cluster it does where
/// its leader dies after it has said so and before the others know: the next leader finds the message
/// in the log, and acknowledges it too.
fn acknowledged_again(first: &str, second: &str) -> bool {
    let is_of_a_stream = |body: &str| match acknowledgement(body.as_bytes()) {
        Some(Ok(acknowledged)) => acknowledged.others.is_empty() && !acknowledged.ack.duplicate,
        _ => false,
    };
    first == second && is_of_a_stream(first)
}

/// What is kept of a body.
fn start(body: &[u8]) -> String {
    // What is not UTF-8 becomes longer, never shorter.
    let enough = body.get(..SHOWN + 4).unwrap_or(body);
    bounded(&String::from_utf8_lossy(enough), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::{Answers, By, Heard};

    fn heard(bodies: &[&str]) -> Vec<Answers> {
        heard_by(By::Somebody, bodies)
    }

    fn heard_by(by: By, bodies: &[&str]) -> Vec<Answers> {
        let mut heard = Heard::default();
        for (at_ns, body) in (0..).zip(bodies) {
            heard.hear("_R_.LAC30Q.DBbIOx", body.as_bytes(), by, at_ns);
        }
        heard.again().into_iter().map(|(_, answers)| answers).collect()
    }

    #[test]
    fn a_message_that_two_leaders_acknowledge_is_answered_once() {
        let seven = r#"{"stream":"payment-requests","seq":7}"#;
        assert_eq!(heard(&[seven, seven]), []);
        // Two publishers of one request have a message each, or the second is told that it is none.
        for other in [
            r#"{"stream":"payment-requests","seq":8}"#,
            r#"{"stream":"elsewhere","seq":7}"#,
            r#"{"stream":"payment-requests","seq":7,"duplicate":true}"#,
        ] {
            let [answers] = &heard(&[seven, other])[..] else { panic!("{other} is not heard") };
            assert_eq!((answers.second.as_str(), answers.in_all), (other, 2));
        }
    }

    #[test]
    fn what_a_service_says_twice_is_two_answers() {
        for said in [r#"{"sum":3}"#, "", r#"{"stream":"s","seq":7,"of":"mine"}"#] {
            assert_eq!(heard(&[said, said]).len(), 1, "{said}");
        }
    }

    #[test]
    fn surveys_and_what_the_broker_itself_says_are_no_second_answers() {
        let pong = r#"{"type":"io.nats.micro.v1.ping_response","id":"A"}"#;
        let names = r#"{"type":"io.nats.jetstream.api.v1.stream_names_response","total":0}"#;
        for said in [pong, names] {
            assert_eq!(heard(&[said, said, said]), [], "{said}");
        }
    }

    #[test]
    fn a_service_that_says_what_only_a_server_says_answers_twice() {
        let pong = r#"{"type":"io.nats.micro.v1.ping_response","id":"A"}"#;
        let stored = r#"{"stream":"payment-requests","seq":7}"#;
        for said in [pong, stored] {
            let by = |is_survey| heard_by(By::Service { is_survey }, &[said, said]).len();
            assert_eq!((by(false), by(true)), (1, 0), "{said}");
            assert_eq!(heard_by(By::Server, &[said, said]), [], "{said}");
        }
    }

    #[test]
    fn a_long_body_is_kept_by_its_start() {
        let long = "é".repeat(100_000);
        let answers = heard(&[&long, &long]);
        assert!(answers[0].first.len() < 1_000, "{}", answers[0].first.len());
        assert_eq!(answers[0].first, answers[0].second);
    }
}
