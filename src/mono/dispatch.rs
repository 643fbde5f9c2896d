//! The loop every worker runs: take messages, handle a bounded number at once, until the source ends.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};

/// What a worker does with more messages than it may handle at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Excess {
    /// Keep this many waiting, refuse the rest: the sender is told at once.
    Refuse { backlog: usize },
    /// Take no more from the source: the broker keeps them.
    Hold,
}

/// Handles the messages of `source`, at most `concurrency` at once and without a task for each,
/// and returns when the source has ended and everything is handled.
pub(crate) async fn dispatch<M, H, R>(
    mut source: impl Stream<Item = M> + Unpin,
    concurrency: usize,
    excess: Excess,
    handle: impl Fn(M) -> H,
    refuse: impl Fn(M) -> R,
) where
    H: Future<Output = ()>,
    R: Future<Output = ()>,
{
    let mut running = FuturesUnordered::new();
    let mut waiting = VecDeque::new();
    let mut open = true;
    let backlog = match excess {
        Excess::Refuse { backlog } => backlog,
        Excess::Hold => 0,
    };
    loop {
        let take = open
            && match excess {
                Excess::Refuse { .. } => true,
                Excess::Hold => running.len() < concurrency,
            };
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => {
                if let Some(message) = waiting.pop_front() {
                    running.push(handle(message));
                }
            }
            message = source.next(), if take => match message {
                Some(message) if running.len() < concurrency => running.push(handle(message)),
                Some(message) if waiting.len() < backlog => waiting.push_back(message),
                Some(message) => refuse(message).await,
                None => open = false,
            },
            else => break,
        }
    }
}

/// Runs a handler; a panic in it is an error, never the end of the service.
pub(crate) async fn guarded<T>(handler: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(handler).catch_unwind().await.map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        crate::wire::headers::one_line(&format!("handler panicked: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    use futures_util::stream;

    #[tokio::test(flavor = "current_thread")]
    async fn no_more_than_the_bound_runs_at_once_and_the_excess_is_refused() {
        let (peak, now, done, refused) =
            (RefCell::new(0), RefCell::new(0), RefCell::new(0), RefCell::new(0));
        dispatch(
            stream::iter(0..100),
            4,
            Excess::Refuse { backlog: 10 },
            |_| async {
                *now.borrow_mut() += 1;
                let running = *now.borrow();
                peak.replace_with(|p| running.max(*p));
                tokio::task::yield_now().await;
                *now.borrow_mut() -= 1;
                *done.borrow_mut() += 1;
            },
            |_| async { *refused.borrow_mut() += 1 },
        )
        .await;
        assert_eq!(*peak.borrow(), 4);
        assert_eq!(*done.borrow() + *refused.borrow(), 100);
        assert!(*refused.borrow() > 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn held_messages_are_all_handled() {
        let done = RefCell::new(0);
        dispatch(
            stream::iter(0..100),
            3,
            Excess::Hold,
            |_| async {
                tokio::task::yield_now().await;
                *done.borrow_mut() += 1;
            },
            |_| async { unreachable!("nothing is refused") },
        )
        .await;
        assert_eq!(*done.borrow(), 100);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_becomes_an_error() {
        let result: Result<(), _> = guarded(async { panic!("boom\n{}", 1) }).await;
        assert_eq!(result, Err("handler panicked: boom 1".to_owned()));
    }
}
