//! The longest time in which a client tried to write and no write was acknowledged.
//!
//! A pause in which no client tries to write is no gap: a load may wait for its next fault.

use super::index::{Ended, Index, Operation};

/// A write that was acknowledged in the end: from when it was first tried until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    from_ns: u64,
    until_ns: u64,
}

/// Nanoseconds; `None` where nothing was written.
pub(in crate::e2e) fn longest(index: &Index<'_>) -> Option<u64> {
    let mut wanted = Vec::new();
    for same in index.by_key() {
        for of in kinds(same.clone()) {
            until_acknowledged(same.clone().filter(|one| kind(one) == of), &mut wanted);
        }
    }
    let others = index.operations.iter().filter(|operation| operation.about().is_none());
    others.for_each(|operation| until_acknowledged([operation], &mut wanted));
    stall(wanted)
}

/// What kind of thing an operation is about.
fn kind<'a>(operation: &Operation<'a>) -> Option<&'a str> {
    operation.about().map(|about| about.of.as_str())
}

/// Each of them once: things of two kinds may have one key.
fn kinds<'i, 'a: 'i>(same: impl Iterator<Item = &'i Operation<'a>>) -> Vec<Option<&'a str>> {
    let mut all: Vec<_> = same.map(kind).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The same message is sent again until it is acknowledged: all attempts are one write.
fn until_acknowledged<'i, 'a: 'i>(
    operations: impl IntoIterator<Item = &'i Operation<'a>>,
    wanted: &mut Vec<Wanted>,
) {
    let mut from = None;
    for operation in operations {
        if !operation.is_write() {
            continue;
        }
        let from_ns = *from.get_or_insert(operation.begun.at_ns);
        if let (Ended::Ok, Some(returned)) = (operation.ended(), operation.returned) {
            wanted.push(Wanted { from_ns, until_ns: returned.at_ns });
            from = None;
        }
    }
}

/// Between two acknowledgements in a row, what was wanted is whatever was acknowledged later.
fn stall(mut wanted: Vec<Wanted>) -> Option<u64> {
    wanted.sort_unstable_by_key(|write| write.until_ns);
    let mut longest = None;
    let mut first_wanted = u64::MAX;
    for at in (0..wanted.len()).rev() {
        first_wanted = first_wanted.min(wanted[at].from_ns);
        let before = at.checked_sub(1).map_or(0, |before| wanted[before].until_ns);
        let gap = wanted[at].until_ns.saturating_sub(before.max(first_wanted));
        longest = longest.max(Some(gap));
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(writes: &[(u64, u64)]) -> Option<u64> {
        let wanted =
            |(from_ns, until_ns): &(u64, u64)| Wanted { from_ns: *from_ns, until_ns: *until_ns };
        stall(writes.iter().map(wanted).collect())
    }

    #[test]
    fn a_gap_is_a_time_in_which_a_write_was_wanted() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(5, 9)]), Some(4));
        // Nobody wants to write from 10 to 100.
        assert_eq!(of(&[(0, 10), (100, 103)]), Some(10));
        // Somebody does, all the time.
        assert_eq!(of(&[(0, 10), (4, 103)]), Some(93));
        // Others get through meanwhile.
        assert_eq!(of(&[(0, 10), (4, 103), (20, 60), (30, 70)]), Some(50));
        assert_eq!(of(&[(30, 70), (20, 60), (4, 103), (0, 10)]), Some(50));
    }
}
