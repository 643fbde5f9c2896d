//! Holds the dead letters against the outcomes: no payment is given up without its letter, and none is
//! gone that `dlq` did not remove.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;

use async_nats::jetstream::stream::Stream;

use super::dead_letters::DeadLetter;
use super::names::{FAILURES, TOGETHER_NS};
use super::process::has_letter;
use super::salvage::usable_id;
use super::store::{self, StoreError};
use super::types::Entry;
use crate::mono::{Connection, Record};

/// The dead letters that were sent again or purged.
#[derive(Debug, Default)]
struct Removed {
    /// By their own number.
    letters: HashSet<u64>,
    /// By their original's number.
    originals: HashSet<u64>,
    /// Each removal there ever was is on record: the record is as old as the letters. Else letters
    /// may have been removed before it began, and only their number is known.
    whole: bool,
}

impl Removed {
    /// What is on record; `letters_ns` is when their stream was made.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(connection: &Connection, letters_ns: i128) -> Result<Self, StoreError> {
        let Some(stream) = store::find(connection, FAILURES).await? else {
            return Ok(Self::default());
        };
        let began = stream.cached_info().created.unix_timestamp_nanos();
        let mut removed =
            Self { whole: began <= letters_ns + i128::from(TOGETHER_NS), ..Self::default() };
        for message in store::read(&stream).await?.messages {
            let Ok(record) = serde_json::from_slice::<Record>(&message.body) else { continue };
            let Some(letter) = record.letter else { continue };
            removed.letters.insert(letter.sequence);
            let name = message.subject.rsplit('.').next().unwrap_or_default();
            let original: Option<u64> =
                name.split('-').next().and_then(|number| number.parse().ok());
            removed.originals.extend(original);
        }
        Ok(removed)
    }
}

/// The dead letters that are there, and those that were.
pub(super) struct Letters {
    pub(super) there: Vec<DeadLetter>,
    /// The number of the last there ever was.
    last: u64,
    removed: Removed,
    /// The numbers of the requests of both.
    originals: HashSet<u64>,
}

impl Letters {
    /// All of this stream.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn read(connection: &Connection, stream: &Stream) -> Result<Self, StoreError> {
        let contents = store::read(stream).await?;
        let made_at = stream.cached_info().created.unix_timestamp_nanos();
        let removed = Removed::read(connection, made_at).await?;
        let there: Vec<_> = contents.messages.into_iter().map(DeadLetter::from).collect();
        let originals = there.iter().map(|letter| letter.original_sequence);
        let originals = originals.chain(removed.originals.iter().copied()).collect();
        Ok(Self { there, last: contents.last, removed, originals })
    }

    /// Whether the request with this number has one, or had one that `dlq` removed.
    pub(super) fn are_of(&self, request: u64) -> bool {
        self.originals.contains(&request)
    }

    /// As [`compare`].
    pub(super) fn compare(
        &self,
        entries: &BTreeMap<String, Entry>,
        waiting: &HashSet<String>,
    ) -> Vec<String> {
        compare(entries, &self.there, self.last, waiting, &self.removed)
    }
}

/// Everything that must not be.
fn compare(
    entries: &BTreeMap<String, Entry>,
    letters: &[DeadLetter],
    last_letter: u64,
    waiting: &HashSet<String>,
    removed: &Removed,
) -> Vec<String> {
    let (mut numbers, mut originals) = (HashSet::new(), HashSet::new());
    let mut problems = Vec::new();
    for letter in letters {
        numbers.insert(letter.sequence);
        originals.insert(letter.original_sequence);
        let Some(id) = usable_id(&letter.stored.body) else { continue };
        let settled = entries.contains_key(id.as_str()) || waiting.contains(id.as_str());
        if letter.kind == "exhausted" && !settled {
            problems
                .push(format!("dead letter {}: payment `{id}` has no outcome", letter.sequence));
        }
    }
    let lacking: Vec<_> = entries
        .iter()
        .filter(|(_, entry)| has_letter(entry))
        .filter(|(_, entry)| !originals.contains(&entry.request_sequence))
        .filter(|(_, entry)| !removed.originals.contains(&entry.request_sequence))
        .collect();
    let gone = gaps(numbers.into_iter().chain(removed.letters.iter().copied()), last_letter);
    let gone_count: u128 = gone.iter().map(|run| u128::from(run.end() - run.start()) + 1).sum();
    if removed.whole || lacking.len() as u128 > gone_count {
        problems.extend(lacking.iter().map(|(id, entry)| {
            let message = &entry.message;
            format!("payment `{id}` was given up and has no dead letter ({message})")
        }));
    }
    if removed.whole {
        problems.extend(gone.iter().map(|run| match (run.start(), run.end()) {
            (one, end) if one == end => {
                format!("dead letter {one} is gone, and `dlq` neither sent it again nor purged it")
            }
            (start, end) => format!(
                "dead letters {start} to {end} are gone, and `dlq` neither sent them again nor purged them"
            ),
        }));
    }
    problems
}

/// The numbers from 1 to `last` that are not among `there`. As runs: whoever purges a stream chooses
/// the next number, which may be any.
fn gaps(there: impl Iterator<Item = u64>, last: u64) -> Vec<RangeInclusive<u64>> {
    let there: BTreeSet<u64> = there.filter(|number| (1..=last).contains(number)).collect();
    let ends = there.iter().map(|number| number - 1).chain([last]);
    let starts = [1].into_iter().chain(there.iter().map(|number| number.saturating_add(1)));
    starts.zip(ends).filter(|(start, end)| start <= end).map(|(start, end)| start..=end).collect()
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn what_is_gone_is_told_in_runs_however_many() {
        assert_eq!(gaps([2, 5].into_iter(), 6), [1..=1, 3..=4, 6..=6]);
        assert_eq!(gaps([1, 2].into_iter(), 2), []);
        assert_eq!(gaps([].into_iter(), 0), []);
        assert_eq!(gaps([3].into_iter(), u64::MAX), [1..=2, 4..=u64::MAX]);
        assert_eq!(gaps([7].into_iter(), 5), [1..=5]);
    }
}
