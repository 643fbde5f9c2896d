//! What each idempotency key was answered, in some bytes a key: none is ever forgotten.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::wire::journal::{ChargeOutcome, ChargeRecord};

/// The first bytes of a SHA-256: nobody finds another key with the same 16.
type Key = [u8; 16];
/// It tells two contents of one key apart; the claims, which have all of it, decide which one stands.
type Content = [u8; 8];

/// What each key was answered.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    settled: HashMap<Key, Settled>,
    /// Of those that have one: most are approved.
    reasons: HashMap<Key, Box<str>>,
    /// Of keys that are not settled.
    failures: HashMap<Key, u32>,
}

/// The final answer.
#[derive(Debug)]
struct Settled {
    content: Content,
    outcome: ChargeOutcome,
}

/// What a key was answered, for the content that asks now.
pub(super) enum Found<'a> {
    /// Nothing final; the gateway was unavailable so often.
    Open { failures: u32 },
    /// This, and why.
    Settled(ChargeOutcome, Option<&'a str>),
    /// Something, for other content.
    Other,
}

impl Accounts {
    pub(super) fn find(&self, key: &str, content: &str) -> Found<'_> {
        let key = beginning(key);
        match self.settled.get(&key) {
            None => Found::Open { failures: self.failures.get(&key).copied().unwrap_or(0) },
            Some(settled) if settled.content != beginning::<8>(content) => Found::Other,
            Some(settled) => {
                Found::Settled(settled.outcome, self.reasons.get(&key).map(Box::as_ref))
            }
        }
    }

    pub(super) fn enter(&mut self, record: ChargeRecord) {
        let key = beginning(&record.key);
        if record.outcome == ChargeOutcome::Unavailable {
            *self.failures.entry(key).or_default() += 1;
            return;
        }
        self.failures.remove(&key);
        let content = beginning(&record.content);
        self.settled.insert(key, Settled { content, outcome: record.outcome });
        match record.reason {
            Some(reason) => self.reasons.insert(key, reason.into()),
            None => self.reasons.remove(&key),
        };
    }

    /// As before the first failure; what is settled stays.
    pub(super) fn forget_failures(&mut self) {
        self.failures.clear();
    }
}

fn beginning<const N: usize>(text: &str) -> [u8; N] {
    let digest = Sha256::digest(text);
    std::array::from_fn(|n| digest[n])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_some_bytes() {
        assert!(size_of::<(Key, Settled)>() <= 32);
    }
}
