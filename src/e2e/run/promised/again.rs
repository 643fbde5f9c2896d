//! How long it is looked on when all that was promised is there.
//!
//! What was done once may be done once more though no consumer has anything left: a worker may acknowledge
//! first and work afterwards, and core NATS keeps nothing. Nobody says that it will not come. Two of the
//! times that are usual here are waited for: whoever does one thing after the other has done the next by
//! then.

use std::time::Duration;

use crate::e2e::verdict::promised::Begun;

/// How long it is looked on after the last effect: twice the median time from an operation to its effects,
/// at most `most`. Nothing where no effect is known of an operation.
pub(super) fn looks_on<'a>(
    begun_ns: &Begun,
    effects: impl IntoIterator<Item = (&'a str, &'a str, u64)>,
    most: Duration,
) -> Duration {
    let took = effects.into_iter().filter_map(|(promise, key, at_ns)| {
        let begun_ns = begun_ns.get(promise)?.get(key)?;
        at_ns.checked_sub(*begun_ns)
    });
    let mut took: Vec<u64> = took.collect();
    took.sort_unstable();
    let usual = took.get(took.len() / 2).copied().unwrap_or_default();
    Duration::from_nanos(usual.saturating_mul(2)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_usual_time_is_waited_for_within_bounds() {
        let begun = [("a", 10), ("b", 20), ("c", 30)].map(|(key, at)| (key.to_owned(), at));
        let begun = Begun::from([("order".to_owned(), begun.into())]);
        let looks = |effects: &[(&str, u64)], most| {
            let effects = effects.iter().map(|(key, at)| ("order", *key, *at));
            looks_on(&begun, effects, Duration::from_nanos(most)).as_nanos()
        };
        assert_eq!(
            looks(&[("a", 15), ("b", 27), ("c", 930)], 1000),
            14,
            "one that is late is not usual"
        );
        assert_eq!(looks(&[("a", 510)], 800), 800);
        assert_eq!(looks(&[("x", 510)], 800), 0, "of no operation");
        assert_eq!(looks(&[("a", 5)], 800), 0, "clocks that differ");
        assert_eq!(looks(&[], 800), 0);
    }
}
