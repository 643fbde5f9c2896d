//! What shows that a run failed, in words that are the same for runs that fail alike.

use std::fmt;

use super::breach::breaches;
use super::outcome::{End, Outcome};
use crate::e2e::scenario::ast::scenario::Fixture;

/// What shows that a run failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A promise is broken, in this way.
    Promise {
        /// Which.
        promise: String,
        /// `lost`.
        how: &'static str,
    },
    /// A step fails.
    Step {
        /// Its verb.
        verb: &'static str,
        /// What it says, without its numbers.
        says: String,
    },
    /// A check fails.
    Check {
        /// Its word.
        word: &'static str,
        /// What it says, without its numbers.
        says: String,
    },
    /// Something else does: a leak, a service that does not end well.
    Other {
        /// What is said, without its numbers.
        says: String,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promise { promise, how } => write!(f, "{promise}: {how}"),
            Self::Step { verb, says } => write!(f, "step {verb}: {says}"),
            Self::Check { word, says } => write!(f, "check {word}: {says}"),
            Self::Other { says } => f.write_str(says),
        }
    }
}

impl Evidence {
    /// The same with what one run said of it: with the numbers of that run.
    pub fn told(&self, said: &str) -> String {
        match self {
            Self::Promise { .. } => self.to_string(),
            Self::Step { verb, .. } => format!("step {verb}: {said}"),
            Self::Check { word, .. } => format!("check {word}: {said}"),
            Self::Other { .. } => said.to_owned(),
        }
    }

    /// All that a run shows, with a sentence from it; the promises first, which say most. Nothing
    /// where it did not fail.
    pub fn of(fixture: &Fixture, outcome: &Outcome) -> Vec<(Self, String)> {
        let End::Failed(failure) = &outcome.end else { return Vec::new() };
        let broken = outcome.history.as_ref().map(|of| breaches(&of.report)).unwrap_or_default();
        let mut shown: Vec<(Self, String)> = Vec::new();
        for breach in broken {
            shown.extend(breach.how.into_iter().map(|how| {
                (Self::Promise { promise: breach.promise.clone(), how }, breach.message.clone())
            }));
        }
        let first = failure.message.lines().next().unwrap_or_default();
        let says = without_numbers(first);
        let line = failure.place.as_ref().map_or(0, |place| place.line);
        let other = match (fixture.step_at(line), fixture.check_at(line)) {
            (Some(step), _) => Self::Step { verb: step.action.verb(), says },
            (_, Some(check)) => Self::Check { word: check.kind.word(), says },
            // That the history is invalid has been said.
            _ if !shown.is_empty() => return shown,
            _ => Self::Other { says },
        };
        shown.push((other, first.to_owned()));
        shown
    }
}

/// `3 of 300` and `2 of 7` are the same.
fn without_numbers(text: &str) -> String {
    let mut without = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if without.ends_with('#') => {}
            '0'..='9' => without.push('#'),
            c => without.push(c),
        }
    }
    without
}

#[cfg(test)]
mod tests {
    use super::{Evidence, without_numbers};

    #[test]
    fn evidence_is_alike_without_numbers_and_told_with_those_of_a_run() {
        let of = |said: &str| Evidence::Step { verb: "settle", says: without_numbers(said) };
        let said = "not settled within 5s: consumer `c` has 3 pending";
        assert_eq!(of(said), of("not settled within 5s: consumer `c` has 12 pending"));
        assert_eq!(of(said).told(said), format!("step settle: {said}"));
        let lost = Evidence::Promise { promise: "promise kept".to_owned(), how: "lost" };
        assert_eq!(lost.told("`o-7` is nowhere"), "promise kept: lost");
    }

    #[test]
    fn numbers_are_all_the_same() {
        assert_eq!(without_numbers("3 of 300, then o-17"), without_numbers("12 of 4, then o-2"));
        assert_ne!(without_numbers("3 lost"), without_numbers("3 twice"));
    }
}
