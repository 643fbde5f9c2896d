//! The final statuses that were asked for last, as they were answered: what is final never changes, so it is
//! asked for, and encoded, once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::id::PaymentId;
use super::types::StatusReply;

/// How many are remembered: some 3 MB of them.
const MOST: usize = 8192;

/// Final statuses, by payment; the one that was put in first goes first.
#[derive(Debug, Default)]
pub(super) struct Finals {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    replies: HashMap<PaymentId, Arc<RawValue>>,
    oldest_first: VecDeque<PaymentId>,
}

/// A reply as it is sent.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Final(Arc<RawValue>),
    Now(StatusReply),
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Final(encoded) => RawValue::serialize(encoded, serializer),
            Self::Now(reply) => reply.serialize(serializer),
        }
    }
}

impl Finals {
    /// By the id as it came, checked or not.
    pub(super) fn get(&self, id: &str) -> Option<Reply> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.replies.get(id).cloned().map(Reply::Final)
    }

    /// Remembers a reply if it is final.
    pub(super) fn keep(&self, id: PaymentId, reply: &StatusReply) {
        if !reply.status.is_final() {
            return;
        }
        let Ok(encoded) = to_raw_value(reply) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replies.insert(id.clone(), encoded.into()).is_none() {
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
        let sent = |id: &str| Some(serde_json::to_string(&finals.get(id)?).unwrap());
        let whole = |n| Some(serde_json::to_string(&reply(n, Status::Completed)).unwrap());
        for status in [Status::Pending, Status::Processing] {
            finals.keep(id(0), &reply(0, status));
            assert_eq!(sent("p-0"), None, "{status:?}");
        }
        for n in 0..=MOST {
            finals.keep(id(n), &reply(n, Status::Completed));
            // Again, as by two that asked at once: it counts once.
            finals.keep(id(n), &reply(n, Status::Completed));
        }
        assert_eq!(sent("p-0"), None, "the first has gone");
        assert_eq!(sent("p-1"), whole(1));
        assert_eq!(sent(&format!("p-{MOST}")), whole(MOST));
    }
}
