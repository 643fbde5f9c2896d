//! The messages of a core subscription, up to the last one that the broker sent.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

use super::caller::Caller;
use super::shutdown::Shutdown;

/// nats-server reads at most nine digits of `UNSUB <sid> <max>`, takes a longer number for none, and
/// unsubscribes at once; async-nats keeps the subscription until so many have come: for good.
const MORE_THAN_THE_SERVER_READS: u64 = 10_000_000_000;
/// How long the broker may take to process the end of a subscription.
const UNSUBSCRIBED: Duration = Duration::from_secs(5);

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
    let draining = async move { shutdown.draining().await }.boxed();
    Intake::Open { open: Some((subscriber, Box::new(caller))), draining }
}

enum Intake {
    /// The broker sends.
    Open {
        open: Option<(Subscriber, Box<Caller>)>,
        /// One for all messages: to begin waiting for it costs more than a message does otherwise.
        draining: BoxFuture<'static, ()>,
    },
    /// It was told to stop.
    Closing(BoxStream<'static, Message>),
}

impl Stream for Intake {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        if let Self::Open { open, draining } = &mut *self
            && draining.poll_unpin(context).is_ready()
            && let Some((subscriber, caller)) = open.take()
        {
            *self = Self::Closing(the_rest(subscriber, *caller).boxed());
        }
        match &mut *self {
            Self::Open { open: Some((subscriber, _)), .. } => subscriber.poll_next_unpin(context),
            Self::Open { open: None, .. } => Poll::Ready(None),
            Self::Closing(rest) => rest.poll_next_unpin(context),
        }
    }
}

/// Tells the broker to stop; what it has sent until it reads that comes before the fence.
fn the_rest(mut subscriber: Subscriber, caller: Caller) -> impl Stream<Item = Message> {
    let told = async move {
        // An error means that the connection is gone, and then the stream ends too.
        let _ = subscriber.unsubscribe_after(MORE_THAN_THE_SERVER_READS).await;
        let fenced = Some(fence(caller));
        stream::unfold((subscriber, fenced), |(mut subscriber, mut fenced)| async move {
            if let Some(fence) = &mut fenced {
                tokio::select! {
                    biased;
                    message = subscriber.next() => return Some((message?, (subscriber, fenced))),
                    () = fence => {}
                }
            }
            // All that it sent is here. Unconstrained: a task that has used up its turn would find
            // nothing there.
            let last = tokio::task::unconstrained(subscriber.next()).now_or_never().flatten();
            Some((last?, (subscriber, None)))
        })
    };
    told.flatten_stream()
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
