//! The one clock of a run.

use std::time::Instant;

use jiff::Timestamp;

/// The run's monotonic clock, with the wall clock's time of its start.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self { started: Instant::now(), started_at: Timestamp::now() }
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
