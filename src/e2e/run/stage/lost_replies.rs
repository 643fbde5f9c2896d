//! Replies that a fault took away: whoever counts replies has to know of them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::broker::{Fate, Hit, MessageKind};

/// The inboxes to which replies were on their way that a fault took away; clones share them.
#[derive(Debug, Default, Clone)]
pub(in crate::e2e) struct LostReplies(Arc<Mutex<Vec<String>>>);

impl LostReplies {
    /// A message was hit.
    pub(in crate::e2e) fn hear(&self, hit: &Hit) {
        if (hit.fate, hit.kind) == (Fate::Lose, MessageKind::Reply) {
            let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lost.push(hit.to.clone());
        }
    }

    /// How many there were so far to this inbox.
    pub(in crate::e2e) fn to(&self, inbox: &str) -> usize {
        let lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter().filter(|to| *to == inbox).count()
    }
}
