//! Replies that no client shows: a request takes the first, and whatever else comes to its inbox is
//! dropped by every client library. The harness listens to the inboxes beside the clients.
//!
//! Nothing changes for anybody: who asks a subject that nobody serves is still told so at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::broker::Role;
use crate::e2e::driver::raw::acknowledgement;
use crate::e2e::record::history::clock::Clock;
use crate::e2e::record::history::event::Answers;
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::run::stage::connected;
use crate::wire::headers::bounded;

/// Where clients of one account wait for replies, and what the broker calls the inboxes of others.
const INBOXES: [&str; 2] = ["_INBOX.>", OTHERS];
const OTHERS: &str = "_R_.>";
/// What comes here is a client's word to itself, and no reply.
const BARRIERS: &str = "_INBOX.barrier.";
/// What the harness says to itself, and hears when it has heard all that came before.
const HEARD: [&str; 2] = ["_INBOX.barrier.heard", "_R_.barrier.heard"];
/// The reply subject of a delivery by a stream.
const ACKNOWLEDGE: &str = "$JS.ACK.";
/// A survey of services is answered by all of them, and what the broker's interface says comes from the
/// leader of the moment, which may be another one a moment later.
const OF_MANY: [&[u8]; 2] = [b"\"io.nats.micro.v1.", b"\"io.nats.jetstream.api.v1."];
/// The server answers a question for several messages of a stream with each of them.
const OF_STREAM: &str = "Nats-Stream";
/// So many inboxes are remembered: a second reply comes soon after the first.
const REMEMBERED: usize = 50_000;
/// So much of a reply is kept.
const SHOWN: usize = 200;
/// Between two questions that no server answered.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long the harness's own word may take to come back, over a broker that has just come back too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens until it is dropped.
pub(in crate::e2e) struct Inboxes {
    client: async_nats::Client,
    shared: Arc<Mutex<Heard>>,
    passed: Arc<Semaphore>,
    listening: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    /// When the first came, and what did.
    replies: HashMap<String, (u64, Answers)>,
    in_order: VecDeque<String>,
    more_than_one: Vec<String>,
}

impl Inboxes {
    /// Listens with a connection of its own from now on.
    ///
    /// # Errors
    /// The client library's words.
    pub(in crate::e2e) async fn listen(access: &Access, clock: Clock) -> Result<Self, String> {
        let client = access.connect().await.map_err(|error| error.to_string())?;
        let (shared, passed) = (Arc::<Mutex<Heard>>::default(), Arc::new(Semaphore::new(0)));
        let mut listening = Vec::new();
        for subject in INBOXES {
            let mut messages = client.subscribe(subject).await.map_err(|e| e.to_string())?;
            let (shared, passed) = (shared.clone(), passed.clone());
            listening.push(tokio::spawn(async move {
                while let Some(message) = messages.next().await {
                    if HEARD.contains(&message.subject.as_str()) {
                        passed.add_permits(1);
                    } else if is_a_reply(&message) {
                        lock(&shared).hear(&message, clock.now_ns());
                    }
                }
            }));
        }
        client.flush().await.map_err(|error| error.to_string())?;
        Ok(Self { client, shared, passed, listening })
    }

    /// The inboxes of clients to which more than one reply came, and when the first did, at so many
    /// servers.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(in crate::e2e) async fn answered_again(
        &self,
        servers: usize,
    ) -> Result<Vec<(u64, Answers)>, String> {
        self.hear_all().await?;
        let again: Vec<(u64, Answers)> = {
            let heard = lock(&self.shared);
            heard
                .more_than_one
                .iter()
                .filter_map(|inbox| heard.replies.get(inbox).cloned())
                .collect()
        };
        if again.is_empty() {
            return Ok(again);
        }
        let clients = async {
            loop {
                // Without an answer it is not known whose they are: a busy server is asked again.
                match connected::in_role(Role::Client, &self.client, servers).await {
                    Ok(clients) => return clients,
                    Err(_) => tokio::time::sleep(ASK_AGAIN).await,
                }
            }
        };
        let late = |_| format!("no server said within {PATIENCE:?} who is connected");
        let clients = tokio::time::timeout(PATIENCE, clients).await.map_err(late)?;
        let of_clients: Vec<&str> = clients
            .iter()
            .flat_map(|connection| &connection.subscriptions)
            .filter_map(|subscription| subscription.subject.strip_suffix('*'))
            .chain([OTHERS.trim_end_matches('>')])
            .collect();
        let of_client = |(_, answers): &(u64, Answers)| {
            of_clients.iter().any(|prefix| answers.inbox.starts_with(prefix))
        };
        Ok(again.into_iter().filter(of_client).collect())
    }

    /// Waits until everything is heard that has come to the broker before.
    async fn hear_all(&self) -> Result<(), String> {
        let passed = async {
            for subject in HEARD {
                let sent = self.client.publish(subject, "".into()).await;
                sent.map_err(|error| error.to_string())?;
            }
            let passed = u32::try_from(HEARD.len()).unwrap_or(u32::MAX);
            self.passed.acquire_many(passed).await.map_err(|error| error.to_string())?.forget();
            Ok(())
        };
        let late = |_| {
            Err(format!("the broker did not give back within {PATIENCE:?} what was sent to it"))
        };
        tokio::time::timeout(PATIENCE, passed).await.unwrap_or_else(late)
    }
}

impl Drop for Inboxes {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

impl Heard {
    fn hear(&mut self, message: &async_nats::Message, at_ns: u64) {
        let inbox = message.subject.as_str();
        if let Some((_, answers)) = self.replies.get_mut(inbox) {
            let body = start(&message.payload);
            if of_many(&message.payload) || acknowledged_again(&answers.first, &body) {
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
        let (first, second, in_all) = (start(&message.payload), String::new(), 1);
        let answers = Answers { inbox: inbox.to_owned(), first, second, in_all };
        self.replies.insert(inbox.to_owned(), (at_ns, answers));
    }
}

/// Deliveries and their heartbeats come to inboxes too.
fn is_a_reply(message: &async_nats::Message) -> bool {
    let delivered = message.reply.as_ref().is_some_and(|to| to.starts_with(ACKNOWLEDGE));
    let of_stream = message.headers.as_ref().is_some_and(|all| all.get(OF_STREAM).is_some());
    let own = message.subject.starts_with(BARRIERS);
    !(delivered || of_stream || own || message.status.is_some())
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

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Answers, Heard};

    fn heard(bodies: &[&str]) -> Vec<Answers> {
        let mut heard = Heard::default();
        for (at_ns, body) in (0..).zip(bodies) {
            let message = async_nats::Message {
                subject: "_R_.LAC30Q.DBbIOx".into(),
                reply: None,
                payload: (*body).to_owned().into(),
                headers: None,
                status: None,
                description: None,
                length: body.len(),
            };
            heard.hear(&message, at_ns);
        }
        let of = |inbox: &String| heard.replies.get(inbox).map(|(_, answers)| answers.clone());
        heard.more_than_one.iter().filter_map(of).collect()
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
    fn a_long_body_is_kept_by_its_start() {
        let long = "é".repeat(100_000);
        let answers = heard(&[&long, &long]);
        assert!(answers[0].first.len() < 1_000, "{}", answers[0].first.len());
        assert_eq!(answers[0].first, answers[0].second);
    }
}
