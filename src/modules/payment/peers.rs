//! What processes that share the work tell each other: which messages they were given.
//!
//! First means first acknowledged (`order`), so a process must know the messages that others were given
//! before it. To read each of them from the stream costs the broker several times what their delivery did.
//! So a process that has read many of them tells what it is given, many messages at once, as the others do;
//! what nobody tells within a moment is read as before. Whoever is not heard costs time, and no promise.
//!
//! It is told where a connection sends messages to itself, which workers may, and clients of theirs not.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::id::PaymentId;
use crate::mono::Connection;

/// So many messages of others that had to be read say that the work is shared.
const SHARED: usize = 64;
/// So many words without an answer say that nobody shares it any more.
const UNANSWERED: usize = 64;
/// How long what others tell is waited for.
const MOMENT: Duration = Duration::from_millis(5);
/// Every server takes so many bytes in a message.
const WORD: usize = 7_000;

/// A message that somebody was given: its number, and whose payment it is with what content, if it is one's.
pub(super) type Given = (u64, Option<(PaymentId, String)>);

/// The other processes.
#[derive(Debug)]
pub(super) struct Peers {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    /// What own words begin with.
    own: String,
    telling: AtomicBool,
    heard: AtomicBool,
    /// Messages that had to be read since nobody told any more.
    read: AtomicUsize,
    unanswered: AtomicUsize,
    words: Mutex<Vec<String>>,
    speak: Notify,
    learned: Notify,
}

impl Peers {
    pub(super) fn new(connection: Connection) -> Self {
        let shared = Shared {
            connection,
            own: format!("{}\n", nuid::next()),
            telling: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            read: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            words: Mutex::default(),
            speak: Notify::new(),
            learned: Notify::new(),
        };
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// Counts messages of others that had to be read from the stream that was `made` then; where they are
    /// many, tells from then on what is given, and has `learn` called with what others tell of that stream.
    pub(super) fn had_to_read(
        &self,
        messages: usize,
        made: i128,
        learn: impl Fn(Given) + Send + 'static,
    ) {
        let before = self.shared.read.fetch_add(messages, Ordering::Relaxed);
        if before + messages < SHARED || self.shared.telling.swap(true, Ordering::Relaxed) {
            return;
        }
        self.shared.unanswered.store(0, Ordering::Relaxed);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.is_empty() {
            let subject = self.shared.subject(made);
            tasks.spawn(Arc::clone(&self.shared).tell(subject.clone()));
            tasks.spawn(Arc::clone(&self.shared).listen(subject, learn));
        }
    }

    /// Tells a message that this process was given, if others are to know.
    pub(super) fn given(&self, sequence: u64, payment: Option<(&PaymentId, &str)>) {
        if !self.shared.telling.load(Ordering::Relaxed) {
            return;
        }
        let mut words = self.shared.words();
        if words.last().is_none_or(|word| word.len() > WORD) {
            words.push(self.shared.own.clone());
        }
        if let Some(word) = words.last_mut() {
            // Neither has a space in it.
            let _ = match payment {
                Some((id, content)) => writeln!(word, "{sequence} {id} {content}"),
                None => writeln!(word, "{sequence}"),
            };
        }
        self.shared.speak.notify_one();
    }

    /// Waits for a moment until `is_known`, by what others tell, if they do.
    pub(super) async fn tell_of(&self, is_known: impl Fn() -> bool) {
        if !self.shared.heard.load(Ordering::Relaxed) {
            return;
        }
        let told = async {
            loop {
                let learned = self.shared.learned.notified();
                let mut learned = std::pin::pin!(learned);
                learned.as_mut().enable();
                if is_known() {
                    return;
                }
                learned.await;
            }
        };
        let _ = tokio::time::timeout(MOMENT, told).await;
    }
}

impl Shared {
    fn words(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is told: of one stream, for another one, as at a leaf node, has other numbers.
    fn subject(&self, made: i128) -> String {
        self.connection.caller().own_subject(&format!("given-{made}"))
    }

    async fn tell(self: Arc<Self>, subject: String) {
        let client = self.connection.client().clone();
        loop {
            self.speak.notified().await;
            let words = std::mem::take(&mut *self.words());
            for word in words {
                // What is not heard is read.
                let _ = client.publish(subject.clone(), word.into()).await;
            }
            if self.unanswered.fetch_add(1, Ordering::Relaxed) >= UNANSWERED {
                self.telling.store(false, Ordering::Relaxed);
                self.heard.store(false, Ordering::Relaxed);
                self.read.store(0, Ordering::Relaxed);
            }
        }
    }

    async fn listen(self: Arc<Self>, subject: String, learn: impl Fn(Given)) {
        let Ok(mut words) = self.connection.client().subscribe(subject).await else {
            return;
        };
        while let Some(word) = words.next().await {
            let Some(given) = others(&self.own, &word.payload) else { continue };
            given.for_each(&learn);
            self.unanswered.store(0, Ordering::Relaxed);
            self.heard.store(true, Ordering::Relaxed);
            self.telling.store(true, Ordering::Relaxed);
            self.learned.notify_waiters();
        }
    }
}

/// What others tell; `None` of own words. A line that cannot be read says nothing.
fn others<'a>(own: &str, word: &'a [u8]) -> Option<impl Iterator<Item = Given> + use<'a>> {
    let word = std::str::from_utf8(word).ok().filter(|word| !word.starts_with(own))?;
    Some(word.lines().skip(1).filter_map(|line| {
        let mut parts = line.split(' ');
        let sequence = parts.next()?.parse().ok()?;
        match (parts.next(), parts.next()) {
            (None, _) => Some((sequence, None)),
            (Some(id), Some(content)) => {
                Some((sequence, Some((PaymentId::new(id).ok()?, content.to_owned()))))
            }
            (Some(_), None) => None,
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_tell_is_read_line_by_line_and_own_words_are_not() {
        assert!(others("me\n", b"me\n5 a x\n").is_none());
        let heard: Vec<Given> =
            others("me\n", b"you\n5 a x\n6\nno\n7 b\n8 a.b y\n9 c z\n").unwrap().collect();
        let of = |id: &str, content: &str| Some((PaymentId::new(id).unwrap(), content.to_owned()));
        assert_eq!(heard, [(5, of("a", "x")), (6, None), (9, of("c", "z"))]);
    }
}
