//! The one clock of a run.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Two clocks that are read within this time are read at one moment.
const MOMENT: Duration = Duration::from_micros(20);

/// The run's monotonic clock, with the wall clock's time of its start.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        let (started, started_at) = both();
        Self { started, started_at }
    }

    /// By how much the wall's clock was moved against this one since the start, microseconds: times that
    /// other processes note are by that one.
    pub fn moved_us(&self) -> u64 {
        let (now, wall) = both();
        let ours = i128::try_from(now.saturating_duration_since(self.started).as_nanos());
        let walls = wall.as_nanosecond() - self.started_at.as_nanosecond();
        let moved = ours.unwrap_or(i128::MAX).abs_diff(walls) / 1000;
        u64::try_from(moved).unwrap_or(u64::MAX)
    }

    /// When it was started, by the wall's clock.
    #[cfg(test)]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The same for a moment of this process.
    pub fn ns_of(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.started);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// A time of another process's clock, as nanoseconds since the start; 0 for an earlier time.
    pub fn ns_at(&self, wall: Timestamp) -> u64 {
        let since = wall.as_nanosecond() - self.started_at.as_nanosecond();
        u64::try_from(since.max(0)).unwrap_or(u64::MAX)
    }
}

/// Both clocks at one moment: whoever is put off between two looks looks again, a few times.
fn both() -> (Instant, Timestamp) {
    let look = || {
        let before = Instant::now();
        let wall = Timestamp::now();
        (before.elapsed(), before, wall)
    };
    let mut best = look();
    for _ in 0..10 {
        if best.0 <= MOMENT {
            break;
        }
        best = std::cmp::min_by_key(best, look(), |look| look.0);
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_moved_is_told_by_how_much() {
        let clock = Clock::start();
        assert!(clock.moved_us() < 100_000, "{}", clock.moved_us());
        for half in [-500, 500] {
            let step = Duration::from_millis(500);
            let started_at = match half {
                ..0 => clock.started_at.checked_sub(step),
                0.. => clock.started_at.checked_add(step),
            };
            let moved = Clock { started_at: started_at.unwrap(), ..clock }.moved_us();
            assert!((400_000..600_000).contains(&moved), "{moved}");
        }
    }
}
