//! First means first acknowledged: nobody claims an id past an earlier message that may.
//!
//! The claim is written once, so whoever writes it first owns the id. Messages reach a process in
//! stream order, but not all of them reach this one: some went to other processes, and some were
//! lost with a process or a connection and come again only after `ack_wait`. So each process keeps
//! the messages whose id nobody is known to have claimed. Where a number is missing between those it
//! saw, it reads that message from the stream, which holds what is not settled yet, and nothing
//! else. A message waits where an earlier one of its id has other content, is not settled, and no
//! claim is there; with one process and no fault, nothing is read. It waits no longer than the
//! consumer can still deliver the earlier one: what is at or below the consumer's ack floor never
//! comes again, whatever the stream still holds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Notify;

use super::earlier::{AT_ONCE, Content, Earlier, wide};
use super::id::PaymentId;
use super::ledger::{Ledger, LedgerError};
use super::names::{CONSUMER, REQUESTS};
use super::peers::Peers;
use super::salvage::usable_id;
use super::writes::RECONNECTED;
use crate::mono::{Failure, Kept, Which, message};
use crate::wire::subjects::PAYMENT_PROCESS;

/// How long a message waits here for an earlier one's claim before it is given back to the stream.
const PATIENCE: Duration = Duration::from_millis(200);

/// What this process knows of earlier messages.
#[derive(Debug)]
pub(super) struct Order {
    ledger: Ledger,
    earlier: Arc<Mutex<Earlier>>,
    peers: Peers,
    /// Held while the stream is read: what one message needs to know, the next one needs too.
    reading: tokio::sync::Mutex<()>,
    claimed: Notify,
}

impl Order {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self {
            peers: Peers::new(ledger.connection().clone()),
            ledger,
            earlier: Arc::default(),
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
        self.peers.given(sequence, Some((id, content)));
        let has_gap = {
            let mut earlier = self.earlier();
            earlier.note(sequence, id.clone(), Content::Known(content.to_owned()));
            earlier.known_to < sequence
        };
        if has_gap {
            Box::pin(self.look_back(sequence)).await?;
        }
        if self.earlier().rivals(sequence, id, content).is_empty() {
            return Ok(());
        }
        Box::pin(self.wait_for(sequence, id, content)).await
    }

    /// Returns when the earlier messages of this id with other content cannot claim it any more.
    async fn wait_for(&self, sequence: u64, id: &PaymentId, content: &str) -> Result<(), Failure> {
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
            let late = tokio::time::timeout_at(deadline, claimed).await.is_err();
            if late && !self.drop_out_of_reach().await? {
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

    /// Notes a message that names no payment: nothing waits for it.
    pub(super) fn passed(&self, sequence: u64) {
        self.peers.given(sequence, None);
        self.earlier().saw(sequence);
    }

    fn earlier(&self) -> MutexGuard<'_, Earlier> {
        lock(&self.earlier)
    }

    /// Reads the messages that wait in the stream before this one, and were not seen here: those
    /// before later ones too that came meanwhile, so that these need not read again.
    async fn look_back(&self, sequence: u64) -> Result<(), LedgerError> {
        self.peers.tell_of(|| self.earlier().known_to >= sequence).await;
        let _reading = self.reading.lock().await;
        while self.earlier().known_to < sequence {
            let gaps = self.earlier().gaps();
            let Some(first) = wide(&gaps) else {
                let waiting = self.read(gaps.iter().copied()).await?;
                if let Some(made) = self.ledger.requests_made() {
                    let earlier = Arc::clone(&self.earlier);
                    let learn = move |given| lock(&earlier).learn(given);
                    self.peers.had_to_read(waiting.len(), made, learn);
                }
                waiting.into_iter().for_each(|message| self.note(message));
                gaps.into_iter().for_each(|gap| self.earlier().saw(gap));
                continue;
            };
            // Most of it was settled long ago, as after a start.
            let next = Which::Next { seq: first, next_by_subj: PAYMENT_PROCESS };
            let next = self.waiting(next).await?;
            let settled_to = next.as_ref().map_or(sequence, |message| message.sequence - 1);
            self.earlier().skip_to(settled_to);
            next.into_iter().for_each(|message| self.note(message));
        }
        if self.earlier().are_many() && self.drop_out_of_reach().await? && self.earlier().are_many()
        {
            let all = self.earlier().sequences();
            self.drop_settled(&all).await?;
        }
        self.earlier().note_left();
        Ok(())
    }

    fn note(&self, message: Kept) {
        match usable_id(&message.body) {
            Some(id) => self.earlier().note(message.sequence, id, Content::of(message.body)),
            None => self.earlier().saw(message.sequence),
        }
    }

    /// Forgets those that the consumer never delivers again; true if any.
    async fn drop_out_of_reach(&self) -> Result<bool, LedgerError> {
        let failed = |evidence: String| LedgerError::looking_back(evidence);
        let connection = self.ledger.connection();
        let asked = async {
            let stream = connection.jetstream().get_stream_no_info(REQUESTS).await;
            let stream = stream.map_err(|e| failed(e.to_string()))?;
            stream.consumer_info(CONSUMER).await.map_err(|e| failed(e.to_string()))
        };
        let answer = connection.unless_reconnected(asked).await;
        let info = answer.ok_or_else(|| failed(RECONNECTED.to_owned()))??;
        let mut earlier = self.earlier();
        let mut out_of_reach = earlier.sequences();
        out_of_reach.retain(|sequence| *sequence <= info.ack_floor.stream_sequence);
        earlier.remove(&out_of_reach);
        Ok(!out_of_reach.is_empty())
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
    ) -> Result<Vec<Kept>, LedgerError> {
        let asked = stream::iter(sequences).map(|seq| self.waiting(Which::Number { seq }));
        let answers = asked.buffered(AT_ONCE);
        answers.try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await
    }

    /// A message that waits in the stream.
    async fn waiting(&self, which: Which<'_>) -> Result<Option<Kept>, LedgerError> {
        let connection = self.ledger.connection();
        let asked = message(connection, REQUESTS, &which);
        let answer = connection.unless_reconnected(asked).await;
        answer.unwrap_or_else(|| Err(RECONNECTED.to_owned())).map_err(LedgerError::looking_back)
    }
}

fn lock(earlier: &Mutex<Earlier>) -> MutexGuard<'_, Earlier> {
    earlier.lock().unwrap_or_else(PoisonError::into_inner)
}
