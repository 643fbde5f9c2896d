//! The messages that a process is handling, each with the latest delivery, which must be
//! acknowledged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::message::Acker;

/// A message: its sequence, and when it was stored (a stream made anew counts from 1 again).
pub(crate) type Key = (u64, i128);

/// What the workers of one service have in hand in this process.
pub(crate) struct InHand<A = Acker>(Mutex<HashMap<Key, Arc<A>>>);

/// One message in hand, until this is dropped.
pub(crate) struct Held<'a, A = Acker> {
    all: &'a InHand<A>,
    key: Key,
}

impl<A> Default for InHand<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A> InHand<A> {
    /// Registers a message as being handled. `None` if it already is: its handler then acknowledges
    /// this latest delivery, since the broker has given up the earlier ones.
    pub(crate) fn take(&self, key: Key, acker: A) -> Option<Held<'_, A>> {
        let before = self.lock().insert(key, Arc::new(acker));
        // Made only where it is returned: one that is dropped lets go of the message.
        before.is_none().then(|| Held { all: self, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Held<'_, A> {
    /// Acknowledges the latest delivery.
    pub(crate) fn acker(&self) -> Arc<A> {
        Arc::clone(self.all.lock().get(&self.key).expect("in hand until dropped"))
    }
}

impl<A> Drop for Held<'_, A> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_again_stays_in_hand_and_is_answered_for_by_the_latest_delivery() {
        let all = InHand::default();
        let held = all.take((1, 0), "first").expect("nobody has it");
        assert!(all.take((1, 0), "second").is_none());
        assert_eq!(*held.acker(), "second");
        drop(held);
        assert!(all.take((1, 0), "third").is_some());
    }
}
