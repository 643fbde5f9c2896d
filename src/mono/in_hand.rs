//! The messages that a process has in hand, each with the latest delivery to answer for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::message::Acker;

/// A message: its sequence, and when it was stored (a stream made anew counts from 1 again).
pub(crate) type Key = (u64, i128);

/// What the workers of one service have in hand in this process.
#[derive(Default)]
pub(crate) struct InHand(Mutex<HashMap<Key, Arc<Acker>>>);

/// One message in hand, until this is dropped.
pub(crate) struct Held<'a> {
    all: &'a InHand,
    key: Key,
}

impl InHand {
    /// Takes a message in hand. `None` if it is already: whoever has it acknowledges the latest
    /// delivery from now on, since the broker has given up the ones before.
    pub(crate) fn take(&self, key: Key, acker: Acker) -> Option<Held<'_>> {
        let before = self.lock().insert(key, Arc::new(acker));
        before.is_none().then_some(Held { all: self, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Acker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Acknowledges the latest delivery.
    pub(crate) fn acker(&self) -> Arc<Acker> {
        Arc::clone(self.all.lock().get(&self.key).expect("in hand until dropped"))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
