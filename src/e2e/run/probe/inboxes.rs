//! Replies that no client shows: a request takes the first, and whatever else comes to its inbox is
//! dropped by every client library.
//!
//! Where clients have accounts of their own, the harness listens beside them, to the broker's own names
//! of their inboxes. Where they share one with the services, it must not: the broker delivers to whoever
//! waits for messages as long as anybody listens there, and so a service that was killed would still be
//! given what its successor is to have. There the broker's trace tells.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::answers::{By, Heard};
use super::broker_trace::{answers, end, level};
use crate::e2e::record::delivery::ACKNOWLEDGE;
use crate::e2e::record::history::clock::Clock;
use crate::e2e::record::history::event::Answers;
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::scenario::Fixture;

/// What the broker calls the inboxes of other accounts.
const OTHERS: &str = "_R_.>";
/// What the harness says to itself, and hears when it has heard all that came before.
const HEARD: &str = "_R_.barrier.heard";
/// The server answers a question for several messages of a stream with each of them.
const OF_STREAM: &str = "Nats-Stream";
/// How long the harness's own word may take to come back, over a broker that has just come back too.
const PATIENCE: Duration = Duration::from_secs(30);
/// More of the broker's trace is not read.
const MOST_BYTES: u64 = 64 << 20;

/// How they are heard.
pub(in crate::e2e) enum Inboxes {
    /// By a connection that listens until it is dropped.
    Beside(Listening),
    /// By the broker's trace.
    Traced,
}

/// What came to inboxes.
pub(in crate::e2e) struct Again {
    /// Those to which more than one reply came, and when the first did.
    pub(in crate::e2e) heard: Vec<(u64, Answers)>,
    /// Why there may be more.
    pub(in crate::e2e) unheard: Option<String>,
}

/// A connection that listens.
pub(in crate::e2e) struct Listening {
    client: async_nats::Client,
    shared: Arc<Mutex<Heard>>,
    passed: Arc<Semaphore>,
    listening: JoinHandle<()>,
}

impl Inboxes {
    /// Listens with a connection of its own from now on, where clients have accounts of their own.
    ///
    /// # Errors
    /// The client library's words.
    pub(in crate::e2e) async fn listen(
        access: &Access,
        clock: Clock,
        have_accounts: bool,
    ) -> Result<Self, String> {
        match have_accounts {
            true => Ok(Self::Beside(Listening::begin(access, clock).await?)),
            false => Ok(Self::Traced),
        }
    }

    /// The inboxes of clients to which more than one reply came.
    ///
    /// # Errors
    /// The broker does not answer, or its trace cannot be read.
    pub(in crate::e2e) async fn answered_again(
        &self,
        world: &World,
        fixture: &Fixture,
    ) -> Result<Again, String> {
        match self {
            Self::Beside(listening) => {
                listening.hear_all().await?;
                Ok(Again { heard: lock(&listening.shared).again(), unheard: None })
            }
            Self::Traced if level::is_too_much(fixture) => {
                let unheard = Some("a step is done more than 2,000 times".to_owned());
                Ok(Again { heard: Vec::new(), unheard })
            }
            Self::Traced => {
                // What is there is told, even if a broker is away.
                let traced = end::until_all_is_traced(world.harness(), &world.brokers).await;
                let mut unheard = traced.err();
                let (clock, mut reading) = (world.recorder.clock(), world.watches().traced());
                for path in world.brokers.log_paths() {
                    let is_whole = reading.read_on(path, MOST_BYTES);
                    if !is_whole.map_err(|error| error.to_string())? {
                        let mib = MOST_BYTES >> 20;
                        unheard = Some(format!("the broker traced more than {mib} MiB"));
                    }
                }
                let heard = answers::answers(reading.lines(), |at| clock.ns_at(at)).again();
                Ok(Again { heard, unheard })
            }
        }
    }
}

impl Listening {
    async fn begin(access: &Access, clock: Clock) -> Result<Self, String> {
        let client = access.connect().await.map_err(|error| error.to_string())?;
        let (shared, passed) = (Arc::<Mutex<Heard>>::default(), Arc::new(Semaphore::new(0)));
        let mut messages = client.subscribe(OTHERS).await.map_err(|error| error.to_string())?;
        let (to, heard) = (shared.clone(), passed.clone());
        let listening = tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                if message.subject.as_str() == HEARD {
                    heard.add_permits(1);
                } else if is_a_reply(&message) {
                    lock(&to).hear(
                        &message.subject,
                        &message.payload,
                        By::Somebody,
                        clock.now_ns(),
                    );
                }
            }
        });
        client.flush().await.map_err(|error| error.to_string())?;
        Ok(Self { client, shared, passed, listening })
    }

    /// Waits until everything is heard that has come to the broker before.
    async fn hear_all(&self) -> Result<(), String> {
        let passed = async {
            let sent = self.client.publish(HEARD, "".into()).await;
            sent.map_err(|error| error.to_string())?;
            self.passed.acquire().await.map_err(|error| error.to_string())?.forget();
            Ok(())
        };
        let late = |_| {
            Err(format!("the broker did not give back within {PATIENCE:?} what was sent to it"))
        };
        tokio::time::timeout(PATIENCE, passed).await.unwrap_or_else(late)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Deliveries and their heartbeats come to inboxes too.
fn is_a_reply(message: &async_nats::Message) -> bool {
    let delivered = message.reply.as_ref().is_some_and(|to| to.starts_with(ACKNOWLEDGE));
    let of_stream = message.headers.as_ref().is_some_and(|all| all.get(OF_STREAM).is_some());
    !(delivered || of_stream || message.status.is_some())
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
