//! A request to which so many replies come and no more.
//!
//! The harness asks, not the client under test: every client library drops what comes after the first
//! reply, so that three members without a queue group answer each request thrice and nobody sees it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::attempt::{DEFAULT_TIMEOUT, millis};
use super::running_step::RunningStep;
use crate::broker::subject_matches;
use crate::counted::counted;
use crate::e2e::driver::raw::{failed, header_map, to_value, wire_headers};
use crate::e2e::record::seen::{Seen, base64, from_base64};
use crate::e2e::run::record;
use crate::e2e::run::stage::connected::{self, Connection};
use crate::e2e::scenario::ast::step::Outgoing;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::{DriverError, ErrorKind, Headers, Message, Op, Outcome};

/// After the last reply that is expected, one more is waited for so long, as in every run: whether
/// somebody still writes one cannot be observed.
const QUIET: Duration = Duration::from_secs(1);
/// The same where more got the request than have answered: they may only be slower.
const OTHERS: Duration = Duration::from_secs(2);

impl RunningStep<'_> {
    /// Asks once; what so many replies say, or that there were others.
    pub(in crate::e2e) async fn replies(&self, out: &Outgoing, many: u32) -> Result<Seen, Stop> {
        let (subject, payload_base64, headers) = self.message(out)?;
        let limit = self.step.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let servers = self.fixture.broker.cluster.unwrap_or(1);
        // Where it cannot be known, what comes is still counted.
        let connections = connected::services(self.scene.harness, servers).await;
        let listeners = listeners(&connections.unwrap_or_default(), &subject);
        let op = Op::Request {
            subject: subject.clone(),
            payload_base64: payload_base64.clone(),
            headers: headers.clone(),
            timeout_ms: millis(limit),
        };
        let oracles = self.scene.oracles;
        let begun = record::begin(self.scene.recorder, oracles, "harness", &op);
        let body = from_base64(&payload_base64);
        let patience = Patience { many: many as usize, listeners: listeners.len(), limit };
        let asked = self.ask_all(&subject, body, &headers, patience).await;
        let outcome = match &asked {
            Ok(Answers { replies, .. }) => {
                Outcome::Ok(replies.first().map(to_value).unwrap_or_default())
            }
            Err(error) => Outcome::Err(error.clone()),
        };
        if let Some(begun) = begun {
            begun.end(&outcome);
        }
        match asked {
            Ok(Answers { replies, lost }) if replies.len() != many as usize || lost > 0 => {
                let wanted = counted(many as usize, "reply");
                let (saw, bodies) = (replies.len(), Seen::messages(&replies).main_part());
                let mut message = format!("expected {wanted} to {subject}, saw {saw}: {bodies}");
                if lost > 0 {
                    message.push_str(&format!("; a fault took away {lost} more"));
                }
                if !listeners.is_empty() {
                    message.push_str(&format!("; it went to {}", listeners.join(", ")));
                }
                Err(self.failed(message))
            }
            Ok(Answers { replies, .. })
                if many > 1 || self.step.expects.iter().any(|expect| expect.key == "bodies") =>
            {
                Ok(Seen::messages(&replies))
            }
            _ => Ok(Seen::request(outcome)),
        }
    }

    /// All replies: so many within the limit, and whatever comes soon after them.
    async fn ask_all(
        &self,
        subject: &str,
        body: Vec<u8>,
        headers: &Headers,
        Patience { many, listeners, limit }: Patience,
    ) -> Result<Answers, DriverError> {
        let lost = |error: &dyn Display| failed(ErrorKind::Connection, false, error);
        let client = self.scene.harness.client().await.map_err(|error| lost(&error))?;
        let inbox = client.new_inbox();
        let mut incoming = client.subscribe(inbox.clone()).await.map_err(|error| lost(&error))?;
        let (to, headers) = (subject.to_owned(), header_map(headers)?);
        let sent = client.publish_with_reply_and_headers(to, inbox.clone(), headers, body.into());
        let sent = sent.await;
        sent.map_err(|error| lost(&error))?;
        let mut until = Instant::now() + limit;
        let mut replies: Vec<Message> = Vec::new();
        while let Ok(Some(message)) = timeout_at(until, incoming.next()).await {
            if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                return Err(failed(ErrorKind::NoResponders, true, &"no responders"));
            }
            replies.push(Message {
                // The inbox in which it came differs from run to run.
                subject: subject.to_owned(),
                payload_base64: base64(&message.payload),
                headers: wire_headers(message.headers.as_ref()),
            });
            if replies.len() >= many {
                let quiet = if replies.len() < listeners { OTHERS } else { QUIET };
                until = Instant::now() + quiet;
            }
        }
        match replies.is_empty() {
            true => Err(failed(ErrorKind::Timeout, false, &format!("no reply within {limit:?}"))),
            false => Ok(Answers { replies, lost: self.scene.lost_replies.to(&inbox) }),
        }
    }
}

/// What came to one request.
struct Answers {
    replies: Vec<Message>,
    /// So many more a fault took away.
    lost: usize,
}

/// How many replies are waited for, and how long.
struct Patience {
    many: usize,
    /// So many get the request.
    listeners: usize,
    limit: Duration,
}

/// Who gets a message on this subject: each subscription, and one member of each queue group.
fn listeners(connections: &[Connection], subject: &str) -> Vec<String> {
    let mut groups = BTreeSet::new();
    let mut listeners = Vec::new();
    for Connection { name, subscriptions } in connections {
        let who = if name.is_empty() { "a service without a name" } else { name.as_str() };
        for one in subscriptions.iter().filter(|one| subject_matches(&one.subject, subject)) {
            match &one.queue {
                None => listeners.push(format!("{who} on {} without a queue group", one.subject)),
                Some(queue) if groups.insert((&one.subject, queue)) => {
                    listeners.push(format!("one of queue group {queue} on {}", one.subject));
                }
                Some(_) => {}
            }
        }
    }
    listeners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::run::stage::connected::Subscription;

    #[test]
    fn each_subscription_gets_a_request_and_one_of_each_group() {
        let of = |name: &str, all: &[(&str, Option<&str>)]| {
            let one = |(subject, queue): &(&str, Option<&str>)| Subscription {
                subject: (*subject).to_owned(),
                queue: queue.map(str::to_owned),
            };
            Connection { name: name.to_owned(), subscriptions: all.iter().map(one).collect() }
        };
        let all = [
            of("a", &[("jobs.*", Some("q")), ("other", None)]),
            of("b", &[("jobs.*", Some("q"))]),
            of("", &[("jobs.new", None)]),
        ];
        let unnamed = "a service without a name on jobs.new without a queue group";
        assert_eq!(listeners(&all, "jobs.new"), ["one of queue group q on jobs.*", unnamed]);
        assert!(listeners(&all, "jobs").is_empty());
    }
}
