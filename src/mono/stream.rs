//! What a stream consumer is told and what its handler is handed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::dead_letter::DeadKind;
use super::error::Failure;
use super::letter::Letter;
use super::module::BoxFuture;
use crate::wire::Unreadable;

/// How a stream is consumed.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// The stream, made if it does not exist.
    pub stream: stream::Config,
    /// The durable consumer's name; all workers of all instances share it.
    pub durable: String,
    /// How long a delivery may take before another worker gets it. Handlers that take longer keep
    /// their message: progress is reported while they run.
    pub ack_wait: Duration,
    /// How long a handler may work on one delivery. Then it is dropped, and the message delivered
    /// again, perhaps to another worker.
    pub handle_limit: Duration,
    /// How many deliveries a message gets before it is given up (at least 1).
    pub max_deliver: u64,
    /// The wait after the first, second, … failed delivery; the last one repeats.
    pub backoff: Vec<Duration>,
    /// The stream of dead letters, made if it does not exist.
    pub dead_letters: stream::Config,
    /// Dead letters are stored on `<prefix>.<sequence>-<time>`, one subject an original message.
    pub dead_letter_prefix: String,
}

impl StreamSettings {
    pub(crate) fn backoff_after(&self, deliveries: u64) -> Duration {
        let last = self.backoff.len().saturating_sub(1);
        let index = usize::try_from(deliveries.saturating_sub(1)).unwrap_or(last).min(last);
        self.backoff.get(index).copied().unwrap_or(Duration::ZERO)
    }
}

/// One delivery of a stored message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The body as it was published.
    pub body: Bytes,
    /// Its headers.
    pub headers: Option<HeaderMap>,
    /// The subject it was published on.
    pub subject: String,
    /// The stream that holds it.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// When the stream stored it, nanoseconds since 1970.
    pub stored_ns: i128,
    /// How often it was delivered, this one included.
    pub deliveries: u64,
    /// Who handles it.
    pub worker: Arc<str>,
}

/// What is left to do with a message that its handler gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// File it as a dead letter.
    Bury,
    /// Nothing: it turned out to be done.
    Done,
}

/// Handles the messages of a stream.
pub trait StreamHandler: Send + Sync + 'static {
    /// What a body decodes to.
    type Message: DeserializeOwned + Send;

    /// Handles one delivery. `Ok` acknowledges it. It may come again even so, on this or another
    /// worker: what it does must be idempotent.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Called after a delivery was acknowledged because `handle` succeeded. Nothing may depend on
    /// it: a process can end before.
    fn acknowledged(&self, delivery: &Delivery) -> impl Future<Output = ()> + Send {
        let _ = delivery;
        std::future::ready(())
    }

    /// Called before a message is filed as a dead letter: undecodable, refused, or out of
    /// deliveries. May run more than once for a message. An error delivers it once more. The letter is
    /// filed afterwards, unless the handler files it itself, before what it records.
    fn give_up(
        &self,
        delivery: &Delivery,
        kind: DeadKind,
        reason: &str,
        letter: &Letter<'_>,
    ) -> impl Future<Output = Result<Settled, Failure>> + Send {
        let _ = (delivery, kind, reason, letter);
        std::future::ready(Ok(Settled::Bury))
    }
}

/// [`StreamHandler`], erased.
pub(crate) trait DynStreamHandler: Send + Sync {
    fn handle<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), Failure>>;
    fn acknowledged<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, ()>;
    fn give_up<'a>(
        &'a self,
        delivery: &'a Delivery,
        kind: DeadKind,
        reason: &'a str,
        letter: &'a Letter<'a>,
    ) -> BoxFuture<'a, Result<Settled, Failure>>;
}

struct Erased<H>(H);

impl<H: StreamHandler> DynStreamHandler for Erased<H> {
    fn handle<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if let Some(unreadable) = Unreadable::of(delivery.headers.as_ref()) {
                return Err(Failure::Dead(DeadKind::Malformed, unreadable.to_string()));
            }
            match super::decode(&delivery.body) {
                Ok(message) => self.0.handle(message, delivery).await,
                Err(reason) => Err(Failure::Dead(DeadKind::Malformed, reason)),
            }
        })
    }

    fn acknowledged<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, ()> {
        Box::pin(self.0.acknowledged(delivery))
    }

    fn give_up<'a>(
        &'a self,
        delivery: &'a Delivery,
        kind: DeadKind,
        reason: &'a str,
        letter: &'a Letter<'a>,
    ) -> BoxFuture<'a, Result<Settled, Failure>> {
        Box::pin(self.0.give_up(delivery, kind, reason, letter))
    }
}

pub(crate) fn erase<H: StreamHandler>(handler: H) -> Arc<dyn DynStreamHandler> {
    Arc::new(Erased(handler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_backoff_repeats() {
        let settings = StreamSettings {
            stream: stream::Config::default(),
            durable: "d".into(),
            ack_wait: Duration::from_secs(1),
            handle_limit: Duration::from_secs(60),
            max_deliver: 5,
            backoff: vec![Duration::from_millis(1), Duration::from_millis(5)],
            dead_letters: stream::Config::default(),
            dead_letter_prefix: "x".into(),
        };
        assert_eq!(settings.backoff_after(1), Duration::from_millis(1));
        assert_eq!(settings.backoff_after(2), Duration::from_millis(5));
        assert_eq!(settings.backoff_after(9), Duration::from_millis(5));
    }
}
