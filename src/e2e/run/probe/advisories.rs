//! What consumers give up: messages that a worker terminates, and those whose deliveries are used up.
//! The server says it once and keeps no count: whoever wants to know listens from the beginning.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::unconstrained;

use crate::counted::counted;
use crate::e2e::record::run::{Leak, LeakKind};
use crate::e2e::run::stage::brokers::Access;

/// Where the server says it.
const SUBJECTS: [(&str, How); 2] = [
    ("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>", How::Terminated),
    ("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>", How::Exhausted),
];
/// The server says the same of a message that is gone from its stream while a delivery of it is under
/// way, as of one that was delivered again and acknowledged: no worker has given that up.
const OF_THE_SERVER: [&str; 2] =
    ["Unacknowledged message was deleted", "Message deleted by stream limits"];
/// What the harness says to itself, and hears when it has heard all that came before.
const HEARD: &str = "_INBOX.barrier.advisories";
/// How long that may take, over a broker that has just come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::e2e) enum How {
    /// A worker said `+TERM`.
    Terminated,
    /// It was delivered `max_deliver` times.
    Exhausted,
}

/// Listens until it is dropped.
pub(in crate::e2e) struct Advisories {
    client: async_nats::Client,
    shared: Mutex<Shared>,
}

struct Shared {
    advisories: Vec<(Subscriber, How)>,
    barrier: Subscriber,
    given_up: GivenUp,
}

/// What was given up: messages of a stream by consumer, and how.
#[derive(Debug, Clone, Default)]
pub(in crate::e2e) struct GivenUp(BTreeMap<(String, String, How), Vec<u64>>);

/// What an advisory says.
#[derive(Deserialize)]
struct Advisory {
    stream: String,
    consumer: String,
    stream_seq: u64,
    /// Why, where the server itself ended it.
    #[serde(default)]
    reason: String,
}

impl Advisories {
    /// Listens with a connection of its own from now on.
    ///
    /// # Errors
    /// The client library's words.
    pub(in crate::e2e) async fn listen(access: &Access) -> Result<Self, String> {
        let client = access.connect().await.map_err(|error| error.to_string())?;
        let mut advisories = Vec::new();
        for (subject, how) in SUBJECTS {
            let heard = client.subscribe(subject).await.map_err(|error| error.to_string())?;
            advisories.push((heard, how));
        }
        let barrier = client.subscribe(HEARD).await.map_err(|error| error.to_string())?;
        client.flush().await.map_err(|error| error.to_string())?;
        let shared = Shared { advisories, barrier, given_up: GivenUp::default() };
        Ok(Self { client, shared: Mutex::new(shared) })
    }

    /// All that was given up so far.
    ///
    /// # Errors
    /// The broker does not give back what is sent to it.
    pub(in crate::e2e) async fn given_up(&self) -> Result<GivenUp, String> {
        let mut shared = self.shared.lock().await;
        let Shared { advisories, barrier, given_up } = &mut *shared;
        let passed = async {
            let sent = self.client.publish(HEARD, "".into()).await;
            sent.map_err(|error| error.to_string())?;
            barrier.next().await.map(drop).ok_or("the connection has ended".to_owned())
        };
        let late = |_| {
            Err(format!("the broker did not give back within {PATIENCE:?} what was sent to it"))
        };
        tokio::time::timeout(PATIENCE, passed).await.unwrap_or_else(late)?;
        for (heard, how) in advisories {
            while let Some(Some(message)) = unconstrained(heard.next()).now_or_never() {
                let advisory = serde_json::from_slice::<Advisory>(&message.payload).ok();
                let by_a_worker =
                    |advisory: &Advisory| !OF_THE_SERVER.contains(&advisory.reason.as_str());
                if let Some(advisory) = advisory.filter(by_a_worker) {
                    let key = (advisory.stream, advisory.consumer, *how);
                    given_up.0.entry(key).or_default().push(advisory.stream_seq);
                }
            }
        }
        Ok(given_up.clone())
    }
}

impl GivenUp {
    /// So many messages.
    pub(in crate::e2e) fn count(&self, stream: &str, consumer: &str, how: How) -> u64 {
        let key = (stream.to_owned(), consumer.to_owned(), how);
        self.0.get(&key).map_or(0, |sequences| sequences.len() as u64)
    }

    /// All that went this way, by stream and consumer.
    pub(in crate::e2e) fn of(&self, how: How) -> BTreeMap<(String, String), Vec<u64>> {
        let of = self.0.iter().filter(|((_, _, went), _)| *went == how);
        of.map(|((stream, consumer, _), all)| ((stream.clone(), consumer.clone()), all.clone()))
            .collect()
    }

    /// What nobody expects, as what is left behind; `expected` says whether a check is about it.
    pub(in crate::e2e) fn leaks(&self, expected: impl Fn(&str, &str, How) -> bool) -> Vec<Leak> {
        let unexpected =
            self.0.iter().filter(|((stream, consumer, how), _)| !expected(stream, consumer, *how));
        let leak = |((stream, consumer, how), sequences): (&(String, String, How), &Vec<u64>)| {
            let messages = counted(sequences.len(), "message");
            let first = sequences.first().copied().unwrap_or_default();
            let (kind, told) = match how {
                How::Terminated => (LeakKind::Terminated, "terminated, which nobody gets again"),
                How::Exhausted => {
                    (LeakKind::Exhausted, "delivered as often as it may be, and not acknowledged")
                }
            };
            let told = format!(
                "of stream `{stream}` has {messages} {told}; the first is sequence {first}"
            );
            Leak { kind, by: consumer.clone(), told }
        };
        unexpected.map(leak).collect()
    }
}
