//! First means first acknowledged: nobody claims an id past an earlier message that may.
//!
//! The claim is written once, so whoever writes it first owns the id. Messages reach a process in
//! stream order, but not all of them reach this one: some went to other processes, and some were
//! lost with a process or a connection and come again only after `ack_wait`. So each process keeps
//! the messages whose id nobody is known to have claimed. Where a number is missing between those it
//! saw, it reads that message from the stream, which holds what is not settled yet, and nothing
//! else. A message waits where an earlier one of its id has other content, is not settled, and no
//! claim is there; with one process and no fault, nothing is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::ledger::{Ledger, LedgerError, REQUESTS};
use super::service::{self, PaymentId};
use crate::mono::Failure;
use crate::wire::subjects::PAYMENT_PROCESS;

/// How long a message waits here for an earlier one's claim before it is given back to the stream.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many messages are asked for at once.
const AT_ONCE: u64 = 64;
/// How many messages without a known claim are kept before those that are settled are looked for:
/// twice what can be unacknowledged.
const MANY: usize = 8192;

/// What this process knows of earlier messages.
#[derive(Debug)]
pub(super) struct Order {
    ledger: Ledger,
    earlier: Mutex<Earlier>,
    /// Held while the stream is read: what one message needs to know, the next one needs too.
    reading: tokio::sync::Mutex<()>,
    claimed: Notify,
}

#[derive(Debug, Default)]
struct Earlier {
    /// Every message up to this one was seen here, was read, or is settled.
    known_to: u64,
    /// The messages of ids that nobody is known to have claimed: their numbers and contents.
    open: HashMap<PaymentId, BTreeMap<u64, String>>,
    /// How many those are.
    count: usize,
}

impl Order {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            earlier: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            claimed: Notify::new(),
        }
    }

    /// Returns when no earlier message of the same id and other content can claim it any more.
    ///
    /// # Errors
    /// [`Failure::Later`] if one still can after a short while, or the broker does not answer.
    pub(super) async fn turn(
        &self,
        sequence: u64,
        id: &PaymentId,
        content: &str,
    ) -> Result<(), Failure> {
        self.earlier().note(sequence, id.clone(), content.to_owned());
        if self.earlier().known_to < sequence {
            self.look_back(sequence).await?;
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let claimed = self.claimed.notified();
            let mut claimed = std::pin::pin!(claimed);
            claimed.as_mut().enable();
            let rivals = self.earlier().rivals(sequence, id, content);
            let Some(first) = rivals.first() else { return Ok(()) };
            if self.ledger.intent(id).await?.is_some() {
                self.claimed(id);
                return Ok(());
            }
            if self.drop_settled(&rivals).await? {
                continue;
            }
            if tokio::time::timeout_at(deadline, claimed).await.is_err() {
                return Err(Failure::Later(format!(
                    "payment `{id}`: message {first} was acknowledged earlier and is not handled yet"
                )));
            }
        }
    }

    /// Notes that an id has a claim: the order of its messages is decided.
    pub(super) fn claimed(&self, id: &PaymentId) {
        self.earlier().forget(id);
        self.claimed.notify_waiters();
    }

    fn earlier(&self) -> MutexGuard<'_, Earlier> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the messages that wait in the stream before this one, and were not seen here.
    async fn look_back(&self, sequence: u64) -> Result<(), LedgerError> {
        let _reading = self.reading.lock().await;
        loop {
            let from = self.earlier().known_to + 1;
            if from > sequence {
                break;
            }
            let ask = json!({ "seq": from, "next_by_subj": PAYMENT_PROCESS });
            let known_to = match self.waiting(ask).await? {
                Some(message) if message.sequence < sequence => {
                    let next = message.sequence + 1;
                    let end = sequence.min(next + AT_ONCE);
                    self.note(message);
                    self.read(next..end).await?.into_iter().for_each(|found| self.note(found));
                    end - 1
                }
                _ => sequence,
            };
            let mut earlier = self.earlier();
            earlier.known_to = earlier.known_to.max(known_to);
        }
        if self.earlier().count > MANY {
            let all = self.earlier().sequences();
            self.drop_settled(&all).await?;
        }
        Ok(())
    }

    fn note(&self, message: Waiting) {
        if let Some((id, content)) = service::identify(&message.body) {
            self.earlier().note(message.sequence, id, content);
        }
    }

    /// Forgets those of these messages that the stream does not hold any more; true if any.
    async fn drop_settled(&self, sequences: &[u64]) -> Result<bool, LedgerError> {
        let waiting = self.read(sequences.iter().copied()).await?;
        let waits = |sequence: &u64| waiting.iter().any(|message| message.sequence == *sequence);
        let settled: Vec<u64> = sequences.iter().copied().filter(|n| !waits(n)).collect();
        self.earlier().remove(&settled);
        Ok(!settled.is_empty())
    }

    /// Those of these messages that wait in the stream, in order.
    async fn read(
        &self,
        sequences: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<Waiting>, LedgerError> {
        let asked =
            stream::iter(sequences).map(|sequence| self.waiting(json!({ "seq": sequence })));
        let answers = asked.buffered(usize::try_from(AT_ONCE).unwrap_or(1));
        answers.try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await
    }

    /// A message that waits in the stream; its headers, which may be anything, are not looked at.
    async fn waiting(&self, ask: Value) -> Result<Option<Waiting>, LedgerError> {
        let failed = |evidence: String| LedgerError::looking_back(evidence);
        let connection = self.ledger.connection();
        let subject = format!("STREAM.MSG.GET.{REQUESTS}");
        let asked = connection.jetstream();
        let asked = asked.request(subject, &ask);
        let answer: Answer = match connection.unless_reconnected(asked).await {
            Some(answer) => answer.map_err(|e| failed(e.to_string()))?,
            None => return Err(failed("the connection was made anew".to_owned())),
        };
        match (answer.message, answer.error) {
            (Some(message), _) => {
                let body = base64::engine::general_purpose::STANDARD.decode(message.data);
                Ok(Some(Waiting { sequence: message.seq, body: body.unwrap_or_default() }))
            }
            (None, Some(error)) if error.code() == 404 => Ok(None),
            (None, Some(error)) => Err(failed(error.to_string())),
            (None, None) => Err(failed("an answer without a message".to_owned())),
        }
    }
}

/// A message in the stream.
struct Waiting {
    sequence: u64,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer {
    message: Option<Stored>,
    error: Option<async_nats::jetstream::Error>,
}

#[derive(Deserialize)]
struct Stored {
    seq: u64,
    #[serde(default)]
    data: String,
}

impl Earlier {
    fn note(&mut self, sequence: u64, id: PaymentId, content: String) {
        if sequence == self.known_to + 1 {
            self.known_to = sequence;
        }
        if self.open.entry(id).or_default().insert(sequence, content).is_none() {
            self.count += 1;
        }
    }

    fn forget(&mut self, id: &PaymentId) {
        self.count -= self.open.remove(id).map_or(0, |messages| messages.len());
    }

    fn remove(&mut self, settled: &[u64]) {
        self.open.retain(|_, messages| {
            let before = messages.len();
            messages.retain(|sequence, _| settled.binary_search(sequence).is_err());
            self.count -= before - messages.len();
            !messages.is_empty()
        });
    }

    /// The earlier messages of this id with other content.
    fn rivals(&self, sequence: u64, id: &PaymentId, content: &str) -> Vec<u64> {
        let earlier = self.open.get(id).into_iter().flat_map(|all| all.range(..sequence));
        earlier.filter(|(_, other)| *other != content).map(|(sequence, _)| *sequence).collect()
    }

    fn sequences(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.open.values().flat_map(BTreeMap::keys).copied().collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_earlier_messages_of_the_same_id_and_other_content_are_rivals() {
        let id = |text: &str| PaymentId::new(text).unwrap();
        let mut earlier = Earlier::default();
        for (sequence, name, content) in
            [(1, "a", "x"), (2, "b", "y"), (3, "a", "y"), (5, "a", "z")]
        {
            earlier.note(sequence, id(name), content.to_owned());
        }
        assert_eq!(earlier.known_to, 3, "4 was not seen");
        assert!(earlier.rivals(1, &id("a"), "x").is_empty());
        assert_eq!(earlier.rivals(3, &id("a"), "y"), [1]);
        assert!(earlier.rivals(3, &id("a"), "x").is_empty());
        assert_eq!(earlier.rivals(5, &id("a"), "z"), [1, 3]);
        assert!(earlier.rivals(9, &id("c"), "z").is_empty());
        assert_eq!(earlier.sequences(), [1, 2, 3, 5]);
        earlier.remove(&[1]);
        assert_eq!(earlier.rivals(5, &id("a"), "z"), [3]);
        earlier.forget(&id("a"));
        assert_eq!((earlier.sequences(), earlier.count), (vec![2], 1));
    }
}
