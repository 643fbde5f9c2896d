//! The messages of a core subscription, up to the last one that the broker sent.

use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream, StreamExt};

use super::caller::Caller;
use super::shutdown::Shutdown;

/// nats-server reads at most nine digits of `UNSUB <sid> <max>`, takes a longer number for none, and
/// unsubscribes at once; async-nats keeps the subscription until so many have come: for good.
const MORE_THAN_THE_SERVER_READS: u64 = 10_000_000_000;
/// How long the broker may take to process the end of a subscription.
const UNSUBSCRIBED: Duration = Duration::from_secs(5);

struct Intake {
    subscriber: Subscriber,
    caller: Caller,
    shutdown: Shutdown,
    phase: Phase,
}

enum Phase {
    /// The broker sends.
    Open,
    /// It was told to stop; what it has sent until it reads that comes before the fence.
    Closing(BoxFuture<'static, ()>),
    /// All that it sent is here.
    Closed,
}

/// The messages of a subscription; on shutdown the broker is told to send no more, and the stream
/// ends with the last one that it had sent.
///
/// Not by [`Subscriber::drain`]: async-nats 0.51 forgets the subscription as soon as its connection
/// wakes up again, whether or not the broker has read the `UNSUB`, and drops what still comes. A
/// request among it would be answered by nobody.
pub(crate) fn until_drained(
    subscriber: Subscriber,
    caller: Caller,
    shutdown: Shutdown,
) -> impl Stream<Item = Message> + Unpin {
    let intake = Intake { subscriber, caller, shutdown, phase: Phase::Open };
    Box::pin(stream::unfold(intake, |mut intake| async move {
        let message = intake.next().await?;
        Some((message, intake))
    }))
}

impl Intake {
    async fn next(&mut self) -> Option<Message> {
        loop {
            match &mut self.phase {
                Phase::Open => tokio::select! {
                    biased;
                    () = self.shutdown.draining() => {
                        // An error means that the connection is gone, and then the stream ends too.
                        let _ = self.subscriber.unsubscribe_after(MORE_THAN_THE_SERVER_READS).await;
                        self.phase = Phase::Closing(fence(self.caller.clone()));
                    }
                    message = self.subscriber.next() => return message,
                },
                Phase::Closing(fence) => tokio::select! {
                    biased;
                    message = self.subscriber.next() => return message,
                    () = fence => self.phase = Phase::Closed,
                },
                // Unconstrained: a task that has used up its turn would find nothing there.
                Phase::Closed => {
                    return tokio::task::unconstrained(self.subscriber.next())
                        .now_or_never()
                        .flatten();
                }
            }
        }
    }
}

/// Passes once everything that was sent to us before has arrived.
fn fence(caller: Caller) -> BoxFuture<'static, ()> {
    async move {
        if let Err(error) = caller.barrier(UNSUBSCRIBED).await {
            tracing::warn!(%error, "what the broker sent last may not have arrived");
        }
    }
    .boxed()
}
