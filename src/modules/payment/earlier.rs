//! What a process knows of the messages that came before the one it handles.

use std::collections::{BTreeSet, HashMap};

use super::id::PaymentId;
use super::peers::Given;
use super::service;

/// How many messages are asked for at once.
pub(super) const AT_ONCE: usize = 64;
/// How many messages without a known claim are kept before those that are settled are looked for:
/// twice what can be unacknowledged.
const MANY: usize = 8192;

/// What is known of earlier messages.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Every message up to this one was seen here, was read, or is settled.
    pub(super) known_to: u64,
    /// The same of single ones behind a gap.
    seen: BTreeSet<u64>,
    /// The messages of ids that nobody is known to have claimed: their numbers and contents.
    open: HashMap<PaymentId, Vec<(u64, Content)>>,
    /// How many those are.
    count: usize,
    /// How many of them were left when those that are settled were last looked for.
    left: usize,
}

/// What tells a message from another one of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Known(String),
    /// Not asked for yet: few ids have a second message.
    Body(Vec<u8>),
}

/// A longer body is not kept, but its content at once.
const KEPT_BYTES: usize = 1024;

impl Content {
    pub(super) fn of(body: Vec<u8>) -> Self {
        if body.len() <= KEPT_BYTES {
            Self::Body(body)
        } else {
            Self::Known(service::content_of(&body))
        }
    }

    fn is(&self, content: &str) -> bool {
        match self {
            Self::Known(known) => known == content,
            Self::Body(body) => service::content_of(body) == content,
        }
    }
}

impl Earlier {
    pub(super) fn note(&mut self, sequence: u64, id: PaymentId, content: Content) {
        self.saw(sequence);
        let messages = self.open.entry(id).or_default();
        match messages.binary_search_by_key(&sequence, |(sequence, _)| *sequence) {
            Ok(at) => messages[at].1 = content,
            Err(at) => {
                messages.insert(at, (sequence, content));
                self.count += 1;
            }
        }
    }

    /// Notes what another process was given.
    pub(super) fn learn(&mut self, (sequence, payment): Given) {
        match payment {
            Some((id, content)) => self.note(sequence, id, Content::Known(content)),
            None => self.saw(sequence),
        }
    }

    pub(super) fn saw(&mut self, sequence: u64) {
        if sequence == self.known_to + 1 {
            // As it is nearly always.
            self.skip_to(sequence);
        } else if sequence > self.known_to {
            self.seen.insert(sequence);
        }
    }

    /// Everything up to this one is known, and what was seen right behind it.
    pub(super) fn skip_to(&mut self, sequence: u64) {
        self.known_to = self.known_to.max(sequence);
        while let Some(next) = self.seen.first().filter(|next| **next <= self.known_to + 1) {
            self.known_to = self.known_to.max(*next);
            self.seen.pop_first();
        }
    }

    /// The first [`AT_ONCE`] numbers that are missing between those that were seen.
    pub(super) fn gaps(&self) -> Vec<u64> {
        let last = self.seen.last().copied().unwrap_or(self.known_to);
        let numbers = self.known_to + 1..last;
        numbers.filter(|number| !self.seen.contains(number)).take(AT_ONCE).collect()
    }

    /// Twice as many as when those that are settled were last looked for, which takes a while.
    pub(super) fn are_many(&self) -> bool {
        self.count > MANY.max(2 * self.left)
    }

    /// Those that are left now were looked for.
    pub(super) fn note_left(&mut self) {
        if self.are_many() {
            self.left = self.count;
        }
    }

    pub(super) fn forget(&mut self, id: &PaymentId) {
        self.count -= self.open.remove(id).map_or(0, |messages| messages.len());
    }

    pub(super) fn remove(&mut self, settled: &[u64]) {
        self.open.retain(|_, messages| {
            let before = messages.len();
            messages.retain(|(sequence, _)| settled.binary_search(sequence).is_err());
            self.count -= before - messages.len();
            !messages.is_empty()
        });
    }

    /// The earlier messages of this id with other content.
    pub(super) fn rivals(&self, sequence: u64, id: &PaymentId, content: &str) -> Vec<u64> {
        let earlier = self.open.get(id).into_iter().flatten();
        let earlier = earlier.take_while(|(earlier, _)| *earlier < sequence);
        earlier.filter(|(_, other)| !other.is(content)).map(|(sequence, _)| *sequence).collect()
    }

    pub(super) fn sequences(&self) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.open.values().flatten().map(|(sequence, _)| *sequence).collect();
        all.sort_unstable();
        all
    }
}

/// The first of as many gaps as are read at once, if nothing that was seen lies between them.
pub(super) fn wide(gaps: &[u64]) -> Option<u64> {
    let (first, last) = (*gaps.first()?, *gaps.last()?);
    (gaps.len() == AT_ONCE && last - first < AT_ONCE as u64).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_earlier_messages_of_the_same_id_and_other_content_are_rivals() {
        let id = |text: &str| PaymentId::new(text).unwrap();
        let mut earlier = Earlier::default();
        for (sequence, name, content) in
            [(1, "a", "x"), (2, "b", "y"), (3, "a", "y"), (5, "a", "z")]
        {
            earlier.note(sequence, id(name), Content::Known(content.to_owned()));
        }
        assert_eq!((earlier.known_to, earlier.gaps()), (3, vec![4]), "4 was not seen");
        assert!(earlier.rivals(1, &id("a"), "x").is_empty());
        assert_eq!(earlier.rivals(3, &id("a"), "y"), [1]);
        assert!(earlier.rivals(3, &id("a"), "x").is_empty());
        assert_eq!(earlier.rivals(5, &id("a"), "z"), [1, 3]);
        assert!(earlier.rivals(9, &id("c"), "z").is_empty());
        assert_eq!(earlier.sequences(), [1, 2, 3, 5]);
        earlier.remove(&[1]);
        assert_eq!(earlier.rivals(5, &id("a"), "z"), [3]);
        earlier.forget(&id("a"));
        assert_eq!((earlier.sequences(), earlier.count), (vec![2], 1));
    }

    #[test]
    fn what_is_missing_between_those_seen_is_known_once_it_was_read_or_skipped() {
        let mut earlier = Earlier::default();
        [1, 2, 5, 7, 900].into_iter().for_each(|sequence| earlier.saw(sequence));
        let gaps = earlier.gaps();
        assert_eq!((earlier.known_to, &gaps[..4], gaps.len()), (2, &[3, 4, 6, 8][..], AT_ONCE));
        assert_eq!(wide(&gaps), None, "5 and 7 lie between");
        [3, 4].into_iter().for_each(|sequence| earlier.saw(sequence));
        assert_eq!(earlier.known_to, 5);
        earlier.skip_to(6);
        assert_eq!((earlier.known_to, wide(&earlier.gaps())), (7, Some(8)));
        earlier.skip_to(899);
        assert_eq!((earlier.known_to, earlier.gaps(), earlier.seen.len()), (900, vec![], 0));
    }
}
