//! A lost connection: when that is logged, and when the connection is given up.

use std::time::{Duration, Instant};

/// How long nothing is logged beyond the loss itself: most brokers are back by then.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// A server that has refused the credentials for this long will not accept them any more. A reload
/// of the configuration, also in a cluster, takes much less.
const REFUSED: Duration = Duration::from_secs(10);

/// What the client library says of an attempt whose credentials were refused.
const REFUSALS: [&str; 2] = ["authorization violation", "failed signing nonce"];

/// The attempts since the connection was lost.
#[derive(Debug, Default)]
pub(super) struct Outage {
    began: Option<Instant>,
    refused_since: Option<Instant>,
    next_line: Duration,
}

/// What to do about a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    Quiet,
    /// Say that it lasts, and for how long already.
    Say(Duration),
    /// The server refuses us for good.
    GiveUp,
}

impl Outage {
    pub(super) fn lost(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    pub(super) fn over(&mut self) {
        *self = Self::default();
    }

    /// An attempt failed, in the client library's words.
    pub(super) fn failed(&mut self, now: Instant, words: &str) -> Advice {
        let began = *self.began.get_or_insert(now);
        if REFUSALS.iter().any(|refusal| words.contains(refusal)) {
            let since = *self.refused_since.get_or_insert(now);
            if now - since >= REFUSED {
                return Advice::GiveUp;
            }
        } else {
            self.refused_since = None;
        }
        let lasted = now - began;
        if lasted < self.next_line.max(FIRST_LINE) {
            return Advice::Quiet;
        }
        self.next_line = lasted * 2;
        Advice::Say(lasted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_outage_is_told_less_and_less_often() {
        let (mut outage, began) = (Outage::default(), Instant::now());
        outage.lost(began);
        let told: Vec<u64> = (1..200)
            .filter(|n| {
                let now = began + Duration::from_secs(*n);
                matches!(outage.failed(now, "IO error"), Advice::Say(_))
            })
            .collect();
        assert_eq!(told, [5, 10, 20, 40, 80, 160]);
        outage.over();
        assert_eq!(outage.failed(began, "IO error"), Advice::Quiet);
    }

    #[test]
    fn credentials_that_are_refused_without_a_break_are_given_up() {
        let (mut outage, began) = (Outage::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        let refused = "authorization violation";
        assert_ne!(outage.failed(at(0), refused), Advice::GiveUp);
        assert_ne!(outage.failed(at(9), "IO error"), Advice::GiveUp);
        assert_ne!(outage.failed(at(11), refused), Advice::GiveUp);
        assert_ne!(outage.failed(at(20), refused), Advice::GiveUp);
        assert_eq!(outage.failed(at(21), refused), Advice::GiveUp);
    }
}
