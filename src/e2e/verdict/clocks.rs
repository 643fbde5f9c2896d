//! Which order two clocks can tell: operations are timed by the run's own clock; streams and journals by
//! that of the machine, which somebody may move.

use crate::e2e::record::history::event::Event;

/// Where a history does not say how far its clocks are apart, nanoseconds.
const UNKNOWN: u64 = 1_000_000_000;
/// How exactly a run's own clock is set beside the machine's, nanoseconds.
const EXACT: u64 = 1_000_000;

/// What a history says of its clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clocks<'a> {
    /// The event that says it.
    pub(super) end: Option<&'a Event>,
    pub(super) moved_us: Option<u64>,
}

impl<'a> Clocks<'a> {
    /// An event by the machine's clock happened before one by the run's own: what shows it, beside the
    /// two.
    pub fn before(&self, event: &Event, own: &Event) -> Option<Option<&'a Event>> {
        self.apart(event.at_ns, own.at_ns, EXACT)
    }

    /// The other way round.
    pub fn after(&self, event: &Event, own: &Event) -> Option<Option<&'a Event>> {
        self.apart(own.at_ns, event.at_ns, EXACT)
    }

    /// Of two events by the machine's clock, in whatever processes, one happened before the other.
    pub fn of_one_machine(&self, first: &Event, second: &Event) -> Option<Option<&'a Event>> {
        self.apart(first.at_ns, second.at_ns, 0)
    }

    fn apart(&self, first_ns: u64, second_ns: u64, exact_ns: u64) -> Option<Option<&'a Event>> {
        let moved_ns = self.moved_us.map(|moved| moved.saturating_mul(1000));
        let bound = moved_ns.map_or(UNKNOWN, |moved| moved.saturating_add(exact_ns));
        let between = second_ns.checked_sub(first_ns)?;
        // Beyond what is allowed anyway nobody needs to know it.
        (between > bound).then(|| self.end.filter(|_| between <= UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::{End, What};

    const MS: u64 = 1_000_000;

    fn at(at_ms: u64) -> Event {
        Event { seq: at_ms, at_ns: at_ms * MS, what: What::End(End::default()) }
    }

    #[test]
    fn what_two_clocks_say_is_believed_as_far_as_they_are_known_to_agree() {
        let end = at(9000);
        let of = |moved_us| Clocks { end: Some(&end).filter(|_| moved_us.is_some()), moved_us };
        for (moved_us, apart_ms, is_told) in [
            (None, 500, false),
            (None, 1000, false),
            (None, 1001, true),
            (Some(20), 1, false),
            (Some(20), 2, true),
            (Some(500_000), 500, false),
            (Some(500_000), 502, true),
            (Some(3_000_000), 2000, false),
        ] {
            let (first, second) = (at(1000), at(1000 + apart_ms));
            let told = of(moved_us).before(&first, &second);
            assert_eq!(told.is_some(), is_told, "{moved_us:?} {apart_ms}");
            assert_eq!(of(moved_us).after(&second, &first), told);
            // The end is evidence where a history that does not say would not show it.
            let needed = moved_us.is_some() && apart_ms <= 1000;
            assert_eq!(told.flatten().is_some(), is_told && needed);
            assert_eq!(of(moved_us).before(&second, &first), None);
        }
        assert!(of(Some(20)).of_one_machine(&at(1000), &at(1001)).is_some());
        assert_eq!(of(Some(20)).of_one_machine(&at(1000), &at(1000)), None);
        assert_eq!(of(None).of_one_machine(&at(1000), &at(1001)), None);
    }
}
