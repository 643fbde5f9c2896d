//! The trait of a stream handler, and what it gets.

use std::future::Future;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::dead_letter::DeadKind;
use super::delivery::Delivery;
use super::error::Failure;
use super::future::BoxFuture;
use super::letter::Letter;
use crate::wire::Unreadable;

/// What is left to do with a message that its handler gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// File it as a dead letter.
    Bury,
    /// Nothing: it had been done already.
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
