//! Records that come while others are being written are written together.
//!
//! Where the broker syncs every write, many records in one batch cost it what one costs. A few records are
//! written each by itself, at once; more than that, and what comes while a batch is written, are the next
//! batch. A batch is stored whole or not at all. Where it is refused, as when one of its subjects was not
//! empty, each of its records is written by itself.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;

use futures_util::future::{Fuse, FusedFuture as _, FutureExt as _, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::writes::{Record, Writes};

/// The server takes no more in a batch.
const MOST: usize = 1000;
/// No more than these are written side by side: a batch costs the server 3 ms of CPU and 8 ms by the clock beside
/// its records, for it is kept in a folder of its own until it is whole.
const FEW: usize = 32;

/// Where records are gathered; what is written is known to whoever asked for it.
#[derive(Debug, Clone)]
pub(super) struct Gathered(mpsc::UnboundedSender<Asked>);

#[derive(Debug)]
struct Asked {
    record: Record,
    tell: oneshot::Sender<Result<bool, String>>,
}

impl Gathered {
    /// Begins to gather, until nobody can ask any more.
    pub(super) fn begin(writes: Writes) -> Self {
        // Bounded by what the workers have in hand.
        let (asked, todo) = mpsc::unbounded_channel();
        tokio::spawn(run(writes, todo));
        Self(asked)
    }

    /// As [`Writes::one`].
    ///
    /// # Errors
    /// As [`Writes::one`].
    pub(super) async fn one(&self, record: Record) -> Result<bool, String> {
        let (tell, told) = oneshot::channel();
        let ended = || Err("what writes it has ended".to_owned());
        match self.0.send(Asked { record, tell }) {
            Ok(()) => told.await.unwrap_or_else(|_| ended()),
            Err(_) => ended(),
        }
    }
}

async fn run(writes: Writes, mut todo: mpsc::UnboundedReceiver<Asked>) {
    let (writes, mut waiting) = (&writes, VecDeque::new());
    let mut alone = FuturesUnordered::new();
    let mut batch = pin!(Fuse::terminated());
    let mut open = true;
    while open || !alone.is_empty() || !batch.is_terminated() {
        tokio::select! {
            asked = todo.recv(), if open => match asked {
                Some(asked) => {
                    waiting.push_back(asked);
                    // All that has come, and not only as much as a turn of the runtime allows.
                    while let Ok(more) = todo.try_recv() {
                        waiting.push_back(more);
                    }
                }
                None => open = false,
            },
            () = &mut batch, if !batch.is_terminated() => {}
            Some(()) = alone.next(), if !alone.is_empty() => {}
        }
        if waiting.len() > FEW && batch.is_terminated() {
            batch.set(together(writes, next(&mut waiting)).fuse());
        } else if waiting.len() <= FEW && alone.len() < FEW {
            alone.extend(waiting.drain(..).map(|asked| one(writes, asked)));
        }
    }
}

/// The first of those that wait, up to the second one on a subject; without what was given up.
fn next(waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
    let (mut group, mut subjects) = (Vec::new(), HashSet::new());
    let mut is_next =
        |asked: &Asked| asked.tell.is_closed() || subjects.insert(asked.record.subject.clone());
    while group.len() < MOST && waiting.front().is_some_and(&mut is_next) {
        group.extend(waiting.pop_front().filter(|asked| !asked.tell.is_closed()));
    }
    group
}

async fn one(writes: &Writes, asked: Asked) {
    let written = writes.one(&asked.record).await;
    asked.told(written);
}

async fn together(writes: &Writes, group: Vec<Asked>) {
    let records: Vec<&Record> = group.iter().map(|asked| &asked.record).collect();
    match writes.together(&records).await {
        Ok(true) => group.into_iter().for_each(|asked| asked.told(Ok(true))),
        Err(e) => group.into_iter().for_each(|asked| asked.told(Err(e.clone()))),
        Ok(false) => {
            join_all(group.into_iter().map(|asked| one(writes, asked))).await;
        }
    }
}

impl Asked {
    fn told(self, written: Result<bool, String>) {
        let _ = self.tell.send(written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_in_a_group_once_and_what_was_given_up_is_in_none() {
        let mut kept = Vec::new();
        let mut waiting: VecDeque<Asked> = ["a", "b", "c", "a", "d"]
            .into_iter()
            .map(|subject| {
                let (tell, told) = oneshot::channel();
                if subject != "b" {
                    kept.push(told);
                }
                Asked { record: Record { subject: subject.to_owned(), body: "".into() }, tell }
            })
            .collect();
        let mut taken = || -> Vec<String> {
            next(&mut waiting).into_iter().map(|asked| asked.record.subject).collect()
        };
        assert_eq!(taken(), ["a", "c"]);
        assert_eq!(taken(), ["a", "d"]);
        assert!(taken().is_empty());
    }
}
