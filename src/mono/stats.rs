//! What a service counted, as the NATS service API reports it (ADR-32).

use std::sync::Mutex;
use std::time::Duration;

/// Counters of one service, shared by its workers.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Counts>);

#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub requests: u64,
    pub errors: u64,
    pub last_error: Option<String>,
    pub processing: Duration,
}

impl Stats {
    pub(crate) fn handled(&self, took: Duration) {
        let mut counts = self.lock();
        counts.requests += 1;
        counts.processing += took;
    }

    pub(crate) fn failed(&self, took: Duration, error: &str) {
        let mut counts = self.lock();
        counts.requests += 1;
        counts.errors += 1;
        counts.processing += took;
        counts.last_error = Some(error.to_owned());
    }

    pub(crate) fn snapshot(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        // A panic while counting leaves whole numbers behind: nothing to distrust.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
