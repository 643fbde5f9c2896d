//! Stream consumer: each stored message is handled until it is acknowledged or a dead letter.
//!
//! The number of attempts is limited here and not by the server's `max_deliver`: a process killed
//! during the last delivery would leave a message that the server never delivers again. Here it is
//! delivered once more, and the handler's `give_up` settles it, so no sweeper is needed. The limit
//! is not on deliveries but on the message's own failures, which [`Attempt`] counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, AckKind};
use futures_util::{Stream, StreamExt, stream as futures_stream};

use super::attempt::{Attempt, Verdict};
use super::connect::Connection;
use super::dead_letter::DeadKind;
use super::delivery::Delivery;
use super::dispatch::{Excess, dispatch, guarded};
use super::error::{Failure, ModuleError};
use super::held_back;
use super::in_hand::{Held, InHand};
use super::letter::Letter;
use super::module::Registration;
use super::shutdown::Shutdown;
use super::stream::{DynStreamHandler, Settled};
use super::stream_place;
use super::stream_settings::StreamSettings;

/// One worker; returns after the drain.
pub(crate) async fn work(
    connection: Connection,
    registration: Arc<Registration>,
    handler: Arc<dyn DynStreamHandler>,
    settings: StreamSettings,
    in_hand: Arc<InHand>,
    worker: Arc<str>,
    shutdown: Shutdown,
) {
    let setting_right = tokio::sync::Mutex::default();
    let worker = Worker {
        connection,
        registration,
        handler,
        settings,
        worker,
        shutdown,
        in_hand,
        setting_right,
    };
    // One loop over all pulls: the next pull does not wait for running handlers, and the
    // concurrency counts the messages of all pulls.
    dispatch(
        worker.deliveries(),
        worker.registration.concurrency,
        Excess::Hold,
        |message| worker.handle(message),
        |_| async {},
    )
    .await;
}

struct Worker {
    connection: Connection,
    registration: Arc<Registration>,
    handler: Arc<dyn DynStreamHandler>,
    settings: StreamSettings,
    worker: Arc<str>,
    shutdown: Shutdown,
    in_hand: Arc<InHand>,
    setting_right: tokio::sync::Mutex<()>,
}

impl Worker {
    /// All deliveries, with a new pull whenever one ends, until the drain.
    fn deliveries(&self) -> impl Stream<Item = jetstream::Message> + Unpin + use<'_> {
        Box::pin(futures_stream::unfold(None, move |mut pull| async move {
            loop {
                if pull.is_none() {
                    pull = Some(self.pull_patiently().await?);
                }
                match pull.as_mut()?.next().await {
                    Some(message) => return Some((message, pull)),
                    None => pull = None,
                }
            }
        }))
    }

    /// The next pull that the broker grants; `None` on drain.
    async fn pull_patiently(
        &self,
    ) -> Option<impl Stream<Item = jetstream::Message> + Unpin + use<'_>> {
        let mut pause = Duration::from_millis(20);
        loop {
            let pulled = tokio::select! {
                biased;
                () = self.shutdown.draining() => return None,
                pulled = self.pull() => pulled,
            };
            let error = match pulled {
                Ok(messages) => return Some(messages),
                Err(error) => error,
            };
            tracing::warn!(stream = %self.settings.stream.name, %error, "cannot pull; trying again");
            // The broker is away or the consumer was deleted: nothing here can be observed,
            // so the wait grows from 20 ms to 1 s.
            tokio::select! {
                () = self.shutdown.draining() => return None,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(1)),
            }
        }
    }

    /// A stream of deliveries that ends on drain, on a reconnect and on any error: the caller
    /// pulls anew. Everything the client buffers is handled at once (the batch stays below the
    /// concurrency), so that no message ages unseen in a buffer while its `ack_wait` runs.
    async fn pull(
        &self,
    ) -> Result<impl Stream<Item = jetstream::Message> + Unpin + use<'_>, ModuleError> {
        let stream = &self.settings.stream.name;
        let operation =
            || format!("pull from consumer `{}` of stream `{stream}`", self.settings.durable);
        let reconnected = self.connection.reconnected();
        let jetstream = self.connection.jetstream();
        let consumer = match jetstream
            .get_consumer_from_stream::<pull::Config, _, _>(&self.settings.durable, stream)
            .await
        {
            Ok(consumer) => consumer,
            Err(error) => {
                // The consumer was deleted, or the broker is away: creating it again shows which. A
                // deleted stream is not created again: its messages were lost, and that must be
                // seen.
                self.make_consumer().await?;
                return Err(ModuleError::new(operation(), error));
            }
        };
        let messages = consumer
            .stream()
            .max_messages_per_batch((self.registration.concurrency / 2).max(1))
            .expires(Duration::from_secs(10))
            .heartbeat(Duration::from_secs(1))
            .messages()
            .await
            .map_err(|e| ModuleError::new(operation(), e))?;
        let state = (messages, reconnected, self.shutdown.clone());
        Ok(Box::pin(futures_stream::unfold(
            state,
            |(mut messages, mut reconnected, shutdown)| async move {
                let next = tokio::select! {
                    biased;
                    () = shutdown.draining() => return None,
                    _ = reconnected.changed() => return None,
                    next = messages.next() => next?,
                };
                match next {
                    Ok(message) => Some((message, (messages, reconnected, shutdown))),
                    Err(error) => {
                        tracing::debug!(%error, "pulling anew");
                        None
                    }
                }
            },
        )))
    }

    /// Makes the consumer, or sets it right.
    async fn make_consumer(&self) -> Result<(), ModuleError> {
        let stream = &self.settings.stream.name;
        let found = self.connection.jetstream().get_stream(stream).await;
        let found = found.map_err(|e| ModuleError::new(format!("find stream `{stream}`"), e))?;
        let subject = &self.registration.subject;
        stream_place::ensure_consumer(&self.connection, &found, &self.settings, subject).await
    }

    /// What is seldom done in it is boxed: a future is copied where it begins, and has room for all
    /// that it may ever wait for.
    async fn handle(&self, message: jetstream::Message) {
        let started = Instant::now();
        let delivery = match self.delivery(&message) {
            Ok(delivery) => delivery,
            Err(error) => {
                tracing::error!(%error, subject = %message.subject, "a delivery without JetStream's reply subject");
                return;
            }
        };
        let (_, acker) = message.split();
        // Redelivered while its handler still runs here: that handler continues, and acknowledges
        // this delivery too. It never runs twice at once in one process.
        let Some(held) = self.in_hand.take((delivery.sequence, delivery.stored_ns), acker) else {
            return;
        };
        let delivery = match held_back::may_be(&delivery) {
            false => delivery,
            true => match Box::pin(self.whole(delivery, &held)).await {
                Some(delivery) => delivery,
                None => return,
            },
        };
        let attempt = Attempt::new(&self.connection, &self.settings, &delivery);
        let result = tokio::select! {
            biased;
            result = async {
                let result = self.settle(&delivery, &attempt).await;
                attempt.stopped(&self.shutdown).await;
                result
            } => result,
            () = self.keep(&held) => Err(self.let_go(&delivery)),
            () = self.shutdown.expired() => {
                attempt.stopped(&self.shutdown).await;
                self.acknowledge(&held, AckKind::Nak(None)).await;
                return;
            }
        };
        let stats = &self.registration.stats;
        match result {
            Ok(None) => {
                stats.handled(started.elapsed());
                self.acknowledge(&held, AckKind::Ack).await;
                drop(held);
                self.tell_acknowledged(&delivery).await;
            }
            Ok(Some((kind, reason))) => {
                stats.failed(started.elapsed(), &reason);
                tracing::info!(sequence = delivery.sequence, kind = kind.as_str(), %reason, "dead letter");
                self.acknowledge(&held, AckKind::Ack).await;
            }
            Err((wait, reason)) => {
                stats.failed(started.elapsed(), &reason);
                tracing::debug!(sequence = delivery.sequence, %reason, ?wait, "delivering again");
                self.acknowledge(&held, AckKind::Nak(Some(wait))).await;
            }
        }
    }

    /// The delivery with the body that its consumer left out; also corrects the consumer. `None` if
    /// the body cannot be read now: the message is given back, and not counted.
    async fn whole(&self, delivery: Delivery, held: &Held<'_>) -> Option<Delivery> {
        let fetched = async {
            let fetched = held_back::fetch(&self.connection, &delivery).await?;
            // An empty message is not held back: whoever sends one has nothing set right.
            if !fetched.body.is_empty() {
                self.set_right().await;
            }
            Ok(fetched)
        };
        let fetched = tokio::select! {
            biased;
            fetched = fetched => fetched,
            () = self.shutdown.expired() => Err(Failure::Later("the service stops".to_owned())),
        };
        if let Err(error) = &fetched {
            tracing::warn!(sequence = delivery.sequence, %error, "came without its body; given back");
            self.acknowledge(held, AckKind::Nak(Some(self.wait(&delivery)))).await;
        }
        fetched.ok()
    }

    /// Makes the consumer deliver bodies again; once, however many messages came without.
    async fn set_right(&self) {
        let Ok(_alone) = self.setting_right.try_lock() else { return };
        let (stream, consumer) = (&self.settings.stream.name, &self.settings.durable);
        let jetstream = self.connection.jetstream();
        let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(consumer, stream);
        // Already, and what comes yet was delivered before.
        if found.await.is_ok_and(|found| !found.cached_info().config.headers_only) {
            return;
        }
        match self.make_consumer().await {
            Ok(()) => tracing::warn!(
                "consumer `{consumer}` of stream `{stream}` was changed by somebody else to hold \
                 back bodies (`headers_only`): set right, and what it held back fetched"
            ),
            Err(error) => {
                tracing::warn!(%error, "a consumer that holds back bodies is not set right")
            }
        }
    }

    /// Handles and, where it must be, gives up: `Ok(None)` done, `Ok(Some(…))` a dead letter now,
    /// `Err` to be delivered again after a wait.
    async fn settle(
        &self,
        delivery: &Delivery,
        attempt: &Attempt<'_>,
    ) -> Result<Option<(DeadKind, String)>, (Duration, String)> {
        let later = |failure: Failure| (self.wait(delivery), failure.to_string());
        let handled = match attempt.begin().await.map_err(later)? {
            Verdict::Try => guarded(self.handler.handle(delivery)).await,
            Verdict::GiveUp(reason) => Ok(Err(Failure::Dead(DeadKind::Exhausted, reason))),
        };
        let (kind, reason) = match handled {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(Failure::Dead(kind, reason))) => (kind, reason),
            Ok(Err(failure @ Failure::Later(_))) => return Err(later(failure)),
            Ok(Err(Failure::Retry(reason))) | Err(reason) => {
                let failures = attempt.failed(&reason).await.map_err(later)?;
                match attempt.verdict(&failures) {
                    Verdict::Try => {
                        return Err((self.settings.backoff_after(failures.failures), reason));
                    }
                    Verdict::GiveUp(reason) => (DeadKind::Exhausted, reason),
                }
            }
        };
        let letter = Letter::new(&self.connection, &self.settings, delivery, kind, &reason);
        match guarded(self.handler.give_up(delivery, kind, &reason, &letter)).await {
            Ok(Ok(Settled::Done)) => Ok(None),
            Ok(Ok(Settled::Bury)) => {
                Box::pin(letter.file()).await.map_err(later)?;
                Ok(Some((kind, reason)))
            }
            Ok(Err(failure)) => Err(later(failure)),
            Err(panic) => Err((self.wait(delivery), panic)),
        }
    }

    /// Before a delivery that is no fault of the message.
    fn wait(&self, delivery: &Delivery) -> Duration {
        self.settings.backoff_after(delivery.deliveries)
    }

    /// Reports progress to the broker three times in each `ack_wait`; returns when the handler's
    /// time limit has passed, also while nothing can be sent.
    async fn keep(&self, held: &Held<'_>) {
        // One timer at a time: each message has one.
        let began = tokio::time::Instant::now();
        let left = || self.settings.handle_limit.saturating_sub(began.elapsed());
        loop {
            tokio::time::sleep(left().min(self.settings.ack_wait / 3)).await;
            let progress = self.acknowledge(held, AckKind::Progress);
            if left().is_zero() || tokio::time::timeout(left(), progress).await.is_err() {
                return;
            }
        }
    }

    /// Calls the handler, which may hang or panic here too.
    async fn tell_acknowledged(&self, delivery: &Delivery) {
        let (limit, sequence) = (self.settings.handle_limit, delivery.sequence);
        let told = guarded(self.handler.acknowledged(delivery));
        let evidence = tokio::select! {
            biased;
            told = tokio::time::timeout(limit, told) => match told {
                Ok(Ok(())) => return,
                Ok(Err(panic)) => panic,
                Err(_) => format!("the handler did not end within {limit:?}"),
            },
            () = self.shutdown.expired() => return,
        };
        tracing::warn!(sequence, %evidence, "after a message was acknowledged");
    }

    /// Drops the handler, as if its process had ended, so that another worker may take the message.
    fn let_go(&self, delivery: &Delivery) -> (Duration, String) {
        let limit = self.settings.handle_limit;
        let reason = format!("the handler did not end within {limit:?}");
        tracing::warn!(
            stream = %delivery.stream, sequence = delivery.sequence, %reason,
            "a message is let go, to be delivered again"
        );
        (self.wait(delivery), reason)
    }

    async fn acknowledge(&self, held: &Held<'_>, kind: AckKind) {
        // A lost acknowledgement delivers the message again, which the handler must bear anyway.
        if let Err(error) = held.acker().ack_with(kind).await {
            tracing::debug!(%error, "an acknowledgement could not be sent");
        }
    }

    fn delivery(&self, message: &jetstream::Message) -> Result<Delivery, async_nats::Error> {
        let info = message.info()?;
        Ok(Delivery {
            body: message.payload.clone(),
            headers: message.headers.clone(),
            subject: message.subject.to_string(),
            stream: info.stream.to_owned(),
            sequence: info.stream_sequence,
            stored_ns: info.published.unix_timestamp_nanos(),
            deliveries: u64::try_from(info.delivered).unwrap_or(1),
            worker: Arc::clone(&self.worker),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<'w, F: Future<Output = ()>>(_: impl Fn(&'w Worker, jetstream::Message) -> F) -> usize {
        size_of::<F>()
    }

    /// It is copied for each message: with all that is seldom done in it, it was several times as large.
    #[test]
    fn the_future_of_a_message_is_small() {
        let bytes = size(Worker::handle);
        assert!(bytes < 3000, "{bytes}");
    }
}
