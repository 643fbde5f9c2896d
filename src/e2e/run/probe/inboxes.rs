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
use crate::e2e::record::history::clock::Clock;
use crate::e2e::record::history::event::Answers;
use crate::e2e::run::stage::brokers::{Access, Brokers};
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
/// A survey of services is answered by all of them.
const SURVEY: &[u8] = b"\"io.nats.micro.v1.";
/// The server answers a question for several messages of a stream with each of them.
const OF_STREAM: &str = "Nats-Stream";
/// So many inboxes are remembered: a second reply comes soon after the first.
const REMEMBERED: usize = 50_000;
/// So much of a reply is kept.
const SHOWN: usize = 200;
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

    /// The inboxes of clients to which more than one reply came, and when the first did.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(in crate::e2e) async fn answered_again(
        &self,
        brokers: &Brokers,
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
        let connections = brokers.connections().await?;
        let of_clients: Vec<&str> = connections
            .iter()
            .filter(|connection| connection.user == Role::Client.user())
            .flat_map(|connection| &connection.subscriptions)
            .filter_map(|subject| subject.strip_suffix('*'))
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
        let body = bounded(&String::from_utf8_lossy(&message.payload), SHOWN);
        let inbox = message.subject.as_str();
        if let Some((_, answers)) = self.replies.get_mut(inbox) {
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
        let (second, in_all) = (String::new(), 1);
        let answers = Answers { inbox: inbox.to_owned(), first: body, second, in_all };
        self.replies.insert(inbox.to_owned(), (at_ns, answers));
    }
}

/// Deliveries, their heartbeats and surveys come to inboxes too.
fn is_a_reply(message: &async_nats::Message) -> bool {
    let delivered = message.reply.as_ref().is_some_and(|to| to.starts_with(ACKNOWLEDGE));
    let survey = || message.payload.windows(SURVEY.len()).any(|part| part == SURVEY);
    let of_stream = message.headers.as_ref().is_some_and(|all| all.get(OF_STREAM).is_some());
    let own = message.subject.starts_with(BARRIERS);
    !(delivered || of_stream || own || message.status.is_some() || survey())
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
