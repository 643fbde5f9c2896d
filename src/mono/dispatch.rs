//! The loop every worker runs: take messages, handle a bounded number at once, until the source ends.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use futures_util::{FutureExt, poll};
use tokio::time::{Instant, sleep_until};

/// If no handler ends for this long, waiting messages are refused, so that the requesters know at
/// once.
const STALLED: Duration = Duration::from_secs(2);

/// What a worker does with more messages than it may handle at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Excess {
    /// Keep this many waiting while handlers end, refuse the rest: the sender is told at once.
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
    // The handler's own panic is caught further inside. Any other panic, such as in the drop of an
    // abandoned handler, affects its message, and not the worker.
    let handle = |message| {
        // The runtime limits the operations of one turn, and a task that reaches the limit waits
        // for the next turn: a message would begin after later ones. The limit is not needed here,
        // since each handler waits for a broker anyway.
        let handling = tokio::task::unconstrained(handle(message));
        async {
            if let Err(panic) = guarded(handling).await {
                tracing::error!(%panic, "a message was left as it was");
            }
        }
    };
    let mut running = FuturesUnordered::new();
    // Places of handlers that have ended, at most as many as run at once.
    let mut spare = Vec::new();
    let mut waiting = VecDeque::new();
    let mut open = true;
    let backlog = match excess {
        Excess::Refuse { backlog } => backlog,
        Excess::Hold => 0,
    };
    // Since when no handler has ended, although none more may begin.
    let mut since = Instant::now();
    let mut look = pin!(sleep_until(since + STALLED));
    loop {
        let take = open
            && match excess {
                Excess::Refuse { .. } => true,
                Excess::Hold => running.len() < concurrency,
            };
        tokio::select! {
            biased;
            Some(place) = running.next(), if !running.is_empty() => {
                spare.extend(place);
                // Those that end at once make room for the next.
                while running.len() < concurrency
                    && let Some(message) = waiting.pop_front()
                {
                    running.extend(begin(&mut spare, handle(message)).await);
                    since = Instant::now();
                }
            }
            () = look.as_mut(), if !waiting.is_empty() => {
                let stalled = since.elapsed() >= STALLED;
                look.as_mut().reset(if stalled { Instant::now() } else { since } + STALLED);
                if stalled {
                    for message in waiting.drain(..) {
                        refuse(message).await;
                    }
                }
            }
            message = source.next(), if take => match message {
                Some(message) if running.len() < concurrency => {
                    running.extend(begin(&mut spare, handle(message)).await);
                    if running.len() == concurrency {
                        since = Instant::now();
                    }
                }
                Some(message) if waiting.len() < backlog && since.elapsed() < STALLED => {
                    waiting.push_back(message);
                }
                Some(message) => refuse(message).await,
                None => open = false,
            },
            else => break,
        }
    }
}

/// Where a handler runs; used again for the next one.
type Place<F> = Pin<Box<Option<F>>>;

/// Begins a handler at once, in a spare place if there is one. Where it has to wait, it runs on there; else
/// the place is to spare.
async fn begin<F: Future<Output = ()>>(
    spare: &mut Vec<Place<F>>,
    handler: F,
) -> Option<Running<F>> {
    let mut place = spare.pop().unwrap_or_else(|| Box::pin(None));
    place.as_mut().set(Some(handler));
    let mut running = Running(Some(place));
    match poll!(&mut running) {
        Poll::Ready(place) => {
            spare.extend(place);
            None
        }
        Poll::Pending => Some(running),
    }
}

/// A handler that is not done; once it is, its place is free.
struct Running<F>(Option<Place<F>>);

impl<F: Future<Output = ()>> Future for Running<F> {
    type Output = Option<Place<F>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Place<F>>> {
        if let Some(place) = &mut self.0 {
            if let Some(handler) = place.as_mut().as_pin_mut() {
                ready!(handler.poll(context));
            }
            place.set(None);
        }
        Poll::Ready(self.0.take())
    }
}

/// Runs a handler; a panic in it is an error, never the end of the service.
pub(crate) async fn guarded<T>(handler: impl Future<Output = T>) -> Result<T, String> {
    let ended = AssertUnwindSafe(handler).catch_unwind().await;
    ended.map_err(|panic| format!("handler panicked: {}", panic_text(&*panic)))
}

/// What a panic says, in one bounded line.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    crate::wire::headers::one_line(text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};

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
                // It is polled where it begins, and once more among those that run.
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
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
    async fn nothing_waits_for_handlers_that_hang_and_one_that_ends_opens_the_way_again() {
        let (asked, source) = tokio::sync::mpsc::unbounded_channel();
        let source = stream::unfold(source, |mut source| async {
            source.recv().await.map(|message| (message, source))
        });
        let (refused, done) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let (hangs, began) = (tokio::sync::Notify::new(), Instant::now());
        let work = dispatch(
            Box::pin(source),
            2,
            Excess::Refuse { backlog: 10 },
            |n: u32| {
                let (hangs, done) = (&hangs, &done);
                async move {
                    if n < 2 {
                        hangs.notified().await;
                    }
                    done.borrow_mut().push(n);
                }
            },
            |n| {
                refused.borrow_mut().push(n);
                std::future::ready(())
            },
        );
        let ask = async {
            for n in 0..5 {
                asked.send(n).unwrap();
            }
            while refused.borrow().len() < 3 {
                tokio::task::yield_now().await;
            }
            assert!(began.elapsed() >= STALLED);
            asked.send(5).unwrap();
            let again = Instant::now();
            while refused.borrow().len() < 4 {
                tokio::task::yield_now().await;
            }
            assert!(again.elapsed() < STALLED / 2, "at once");
            hangs.notify_one();
            while done.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            asked.send(6).unwrap();
            while done.borrow().len() < 2 {
                tokio::task::yield_now().await;
            }
            assert_eq!((&*refused.borrow(), &*done.borrow()), (&vec![2, 3, 4, 5], &vec![0, 6]));
            hangs.notify_one();
            drop(asked);
        };
        tokio::join!(work, ask);
        assert_eq!((refused.borrow().len(), done.borrow().len()), (4, 3));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_waits_and_ends_at_once_makes_room_for_all_that_waits_behind_it() {
        let (asked, source) = tokio::sync::mpsc::unbounded_channel();
        let source = stream::unfold(source, |mut source| async {
            source.recv().await.map(|message| (message, source))
        });
        let (first, done) = (tokio::sync::Notify::new(), RefCell::new(0));
        let work = dispatch(
            Box::pin(source),
            1,
            Excess::Refuse { backlog: 100 },
            |n: u32| {
                let (first, done) = (&first, &done);
                async move {
                    if n == 0 {
                        first.notified().await;
                    }
                    *done.borrow_mut() += 1;
                }
            },
            |_| async { unreachable!("nothing is refused") },
        );
        let ask = async {
            (0..50).for_each(|n| asked.send(n).unwrap());
            tokio::task::yield_now().await;
            first.notify_one();
            while *done.borrow() < 50 {
                tokio::task::yield_now().await;
            }
            drop(asked);
        };
        tokio::join!(work, ask);
        assert_eq!(done.into_inner(), 50);
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

    /// Yields once, and is woken at once: a task that tokio makes wait for its budget is woken
    /// later.
    async fn turn() {
        let mut had = false;
        std::future::poll_fn(|context| match std::mem::replace(&mut had, true) {
            true => std::task::Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        })
        .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn messages_begin_in_their_order_however_much_a_turn_of_the_runtime_may_do() {
        let (asked, source) = tokio::sync::mpsc::unbounded_channel();
        let source = stream::unfold(source, |mut source| async {
            source.recv().await.map(|message| (message, source))
        });
        tokio::spawn(async move {
            for n in 0..5000 {
                asked.send(n).unwrap();
                if n % 7 == 0 {
                    turn().await;
                }
            }
        });
        let began = Arc::new(Mutex::new(Vec::new()));
        // Each operation of a channel counts against the limit of a turn.
        let (sent, _kept) = tokio::sync::mpsc::channel(100_000);
        let noted = began.clone();
        let work = move |n: u32| {
            let (began, sent) = (noted.clone(), sent.clone());
            async move {
                tokio::select! {
                    biased;
                    () = async {
                        began.lock().unwrap().push(n);
                        for _ in 0..5 {
                            sent.send(n).await.unwrap();
                            turn().await;
                        }
                    } => {}
                }
            }
        };
        // As a worker is: a task beside others.
        let worker = dispatch(Box::pin(source), 1000, Excess::Hold, work, |_| async {});
        tokio::spawn(worker).await.unwrap();
        let began = began.lock().unwrap();
        assert_eq!(began.len(), 5000);
        let early = began.windows(2).find(|two| two[0] > two[1]).map(<[u32]>::to_vec);
        assert_eq!(early, None, "one began after a later one");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_becomes_an_error() {
        let result: Result<(), _> = guarded(async { panic!("boom\n{}", 1) }).await;
        assert_eq!(result, Err("handler panicked: boom 1".to_owned()));
    }
}
