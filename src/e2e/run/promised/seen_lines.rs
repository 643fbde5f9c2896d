//! Lines that were seen, which have no times of their own.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

/// The key of an effect, and its value where that matters.
pub(super) type Told = (Option<String>, Option<String>);

/// What lines told, and since when they do. A line is known by what it tells, as the first, second or so
/// on that tells it: a program may put them in another order each time.
#[derive(Default)]
pub(super) struct SeenLines {
    /// For each line: when it was there first, and when it was not yet.
    since: HashMap<(Told, usize), (u64, u64)>,
    /// How often each was told by the lines of this look.
    told: HashMap<Told, usize>,
    /// When the last look began.
    looked_ns: u64,
    /// The hashes of the lines of a file by the last look.
    hashes: Vec<u64>,
}

impl SeenLines {
    /// One more line of this look; returns when it was there first, and when it was not yet.
    pub(super) fn add(&mut self, what: Told, now_ns: u64) -> (u64, u64) {
        let nth = self.told.entry(what.clone()).or_default();
        *nth += 1;
        *self.since.entry((what, *nth)).or_insert((now_ns, self.looked_ns))
    }

    /// The look that began then has ended.
    pub(super) fn looked(&mut self, begun_ns: u64) {
        self.looked_ns = begun_ns;
    }

    /// The next look begins with the first line.
    pub(super) fn afresh(&mut self) {
        self.told.clear();
    }

    /// How a file that should only grow has not since the last look.
    pub(super) fn rewritten<'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let is: Vec<u64> =
            lines.into_iter().map(|line| FixedState::default().hash_one(line)).collect();
        let was = std::mem::replace(&mut self.hashes, is);
        let is = &self.hashes;
        if is.len() < was.len() {
            let (had, has) = (was.len(), is.len());
            return Some(format!("had {had} lines, and has {has}: what they said is not known"));
        }
        let other = was.iter().zip(is).position(|(was, is)| was != is)?;
        Some(format!(
            "was written anew: its line {} is not what it was, and what that said is not known; a \
             file of effects is only added to, and what is kept in another way is printed by a \
             `command`",
            other + 1
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tells(key: &str) -> Told {
        (Some(key.to_owned()), None)
    }

    #[test]
    fn a_line_is_known_by_what_it_tells_in_any_order() {
        let mut lines = SeenLines::default();
        assert_eq!(lines.add(tells("a"), 10), (10, 0));
        lines.looked(5);
        lines.afresh();
        assert_eq!(lines.add(tells("b"), 20), (20, 5), "new, though it stands first");
        assert_eq!(lines.add(tells("a"), 20), (10, 0), "the one of before");
        assert_eq!(lines.add(tells("a"), 20), (20, 5), "a second one");
    }

    #[test]
    fn a_file_only_grows() {
        let mut lines = SeenLines::default();
        assert_eq!(lines.rewritten(["a"]), None);
        assert_eq!(lines.rewritten(["a", "b"]), None);
        assert!(lines.rewritten(["a", "c"]).unwrap().contains("its line 2 is not what it was"));
        assert!(lines.rewritten(["a"]).unwrap().contains("had 2 lines, and has 1"));
    }
}
