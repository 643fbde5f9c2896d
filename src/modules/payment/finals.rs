//! The final statuses that were asked for last: what is final never changes, so it is asked for once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::id::PaymentId;
use super::types::StatusReply;

/// How many are remembered: some 2 MB of them.
const MOST: usize = 8192;

/// Final statuses, by payment; the one that was put in first goes first.
#[derive(Debug, Default)]
pub(super) struct Finals {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    replies: HashMap<PaymentId, StatusReply>,
    oldest_first: VecDeque<PaymentId>,
}

impl Finals {
    pub(super) fn get(&self, id: &PaymentId) -> Option<StatusReply> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.replies.get(id).cloned()
    }

    /// Remembers a reply if it is final.
    pub(super) fn keep(&self, id: PaymentId, reply: &StatusReply) {
        if !reply.status.is_final() {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replies.insert(id.clone(), reply.clone()).is_none() {
            known.oldest_first.push_back(id);
        }
        if known.oldest_first.len() > MOST
            && let Some(oldest) = known.oldest_first.pop_front()
        {
            known.replies.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::Status;
    use super::*;

    #[test]
    fn what_is_final_is_remembered_and_no_more_than_there_is_room_for() {
        let id = |n: usize| PaymentId::new(&format!("p-{n}")).unwrap();
        let reply = |n: usize, status| StatusReply {
            payment_id: format!("p-{n}"),
            status,
            message: None,
            amount: None,
            currency: None,
            content: None,
        };
        let finals = Finals::default();
        for status in [Status::Pending, Status::Processing] {
            finals.keep(id(0), &reply(0, status));
            assert_eq!(finals.get(&id(0)), None, "{status:?}");
        }
        for n in 0..=MOST {
            finals.keep(id(n), &reply(n, Status::Completed));
            // Again, as by two that asked at once: it counts once.
            finals.keep(id(n), &reply(n, Status::Completed));
        }
        assert_eq!(finals.get(&id(0)), None, "the first has gone");
        assert_eq!(finals.get(&id(1)), Some(reply(1, Status::Completed)));
        assert_eq!(finals.get(&id(MOST)), Some(reply(MOST, Status::Completed)));
    }
}
