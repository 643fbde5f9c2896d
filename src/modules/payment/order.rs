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

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use base64::Engine as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::id::PaymentId;
use super::ledger::{Ledger, LedgerError, RECONNECTED};
use super::names::{CONSUMER, REQUESTS};
use super::salvage::usable_id;
use super::service;
use crate::mono::Failure;
use crate::wire::subjects::PAYMENT_PROCESS;

/// How long a message waits here for an earlier one's claim before it is given back to the stream.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many messages are asked for at once.
const AT_ONCE: usize = 64;
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
    /// The same of single ones behind a gap.
    seen: BTreeSet<u64>,
    /// The messages of ids that nobody is known to have claimed: their numbers and contents.
    open: HashMap<PaymentId, BTreeMap<u64, Content>>,
    /// How many those are.
    count: usize,
    /// How many of them were left when those that are settled were last looked for.
    left: usize,
}

/// What tells a message from another one of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Known(String),
    /// Not asked for yet: few ids have a second message.
    Body(Vec<u8>),
}

/// A longer body is not kept, but its content at once.
const KEPT_BYTES: usize = 1024;

impl Content {
    fn of(body: Vec<u8>) -> Self {
        if body.len() <= KEPT_BYTES {
            Self::Body(body)
        } else {
            Self::Known(service::content_of(&body))
        }
    }

    fn is(&self, content: &str) -> bool {
        match self {
            Self::Known(known) => known == content,
            Self::Body(body) => service::content_of(body) == content,
        }
    }
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
        self.earlier().note(sequence, id.clone(), Content::Known(content.to_owned()));
        if self.earlier().known_to < sequence {
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
        self.earlier().saw(sequence);
    }

    fn earlier(&self) -> MutexGuard<'_, Earlier> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the messages that wait in the stream before this one, and were not seen here: those
    /// before later ones too that came meanwhile, so that these need not read again.
    async fn look_back(&self, sequence: u64) -> Result<(), LedgerError> {
        let _reading = self.reading.lock().await;
        while self.earlier().known_to < sequence {
            let gaps = self.earlier().gaps();
            let Some(first) = wide(&gaps) else {
                self.read(gaps.iter().copied()).await?.into_iter().for_each(|m| self.note(m));
                gaps.into_iter().for_each(|gap| self.passed(gap));
                continue;
            };
            // Most of it was settled long ago, as after a start.
            let next =
                self.waiting(json!({ "seq": first, "next_by_subj": PAYMENT_PROCESS })).await?;
            let settled_to = next.as_ref().map_or(sequence, |message| message.sequence - 1);
            self.earlier().skip_to(settled_to);
            next.into_iter().for_each(|message| self.note(message));
        }
        if self.earlier().are_many() && self.drop_out_of_reach().await? && self.earlier().are_many()
        {
            let all = self.earlier().sequences();
            self.drop_settled(&all).await?;
        }
        let mut earlier = self.earlier();
        if earlier.are_many() {
            earlier.left = earlier.count;
        }
        Ok(())
    }

    fn note(&self, message: Waiting) {
        match usable_id(&message.body) {
            Some(id) => self.earlier().note(message.sequence, id, Content::of(message.body)),
            None => self.passed(message.sequence),
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
    ) -> Result<Vec<Waiting>, LedgerError> {
        let asked =
            stream::iter(sequences).map(|sequence| self.waiting(json!({ "seq": sequence })));
        let answers = asked.buffered(AT_ONCE);
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
            None => return Err(failed(RECONNECTED.to_owned())),
        };
        match (answer.message, answer.error) {
            (Some(message), _) => {
                let body = base64::engine::general_purpose::STANDARD.decode(message.data);
                Ok(Some(Waiting { sequence: message.seq, body: body.unwrap_or_default() }))
            }
            (None, Some(error)) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
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
    fn note(&mut self, sequence: u64, id: PaymentId, content: Content) {
        self.saw(sequence);
        if self.open.entry(id).or_default().insert(sequence, content).is_none() {
            self.count += 1;
        }
    }

    fn saw(&mut self, sequence: u64) {
        if sequence > self.known_to {
            self.seen.insert(sequence);
            self.skip_to(self.known_to);
        }
    }

    /// Everything up to this one is known, and what was seen right behind it.
    fn skip_to(&mut self, sequence: u64) {
        self.known_to = self.known_to.max(sequence);
        while let Some(next) = self.seen.first().filter(|next| **next <= self.known_to + 1) {
            self.known_to = self.known_to.max(*next);
            self.seen.pop_first();
        }
    }

    /// The first [`AT_ONCE`] numbers that are missing between those that were seen.
    fn gaps(&self) -> Vec<u64> {
        let last = self.seen.last().copied().unwrap_or(self.known_to);
        let numbers = self.known_to + 1..last;
        numbers.filter(|number| !self.seen.contains(number)).take(AT_ONCE).collect()
    }

    /// Twice as many as when those that are settled were last looked for, which takes a while.
    fn are_many(&self) -> bool {
        self.count > MANY.max(2 * self.left)
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
        earlier.filter(|(_, other)| !other.is(content)).map(|(sequence, _)| *sequence).collect()
    }

    fn sequences(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.open.values().flat_map(BTreeMap::keys).copied().collect();
        all.sort_unstable();
        all
    }
}

/// The first of as many gaps as are read at once, if nothing that was seen lies between them.
fn wide(gaps: &[u64]) -> Option<u64> {
    let (first, last) = (*gaps.first()?, *gaps.last()?);
    (gaps.len() == AT_ONCE && last - first < AT_ONCE as u64).then_some(first)
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
            earlier.note(sequence, id(name), Content::Known(content.to_owned()));
        }
        assert_eq!((earlier.known_to, earlier.gaps()), (3, vec![4]), "4 was not seen");
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
    #[test]
    fn what_is_missing_between_those_seen_is_known_once_it_was_read_or_skipped() {
        let mut earlier = Earlier::default();
        [1, 2, 5, 7, 900].into_iter().for_each(|sequence| earlier.saw(sequence));
        let gaps = earlier.gaps();
        assert_eq!((earlier.known_to, &gaps[..4], gaps.len()), (2, &[3, 4, 6, 8][..], AT_ONCE));
        assert_eq!(wide(&gaps), None, "5 and 7 lie between");
        [3, 4].into_iter().for_each(|sequence| earlier.saw(sequence));
        assert_eq!(earlier.known_to, 5);
        earlier.skip_to(6);
        assert_eq!((earlier.known_to, wide(&earlier.gaps())), (7, Some(8)));
        earlier.skip_to(899);
        assert_eq!((earlier.known_to, earlier.gaps(), earlier.seen.len()), (900, vec![], 0));
    }
}
