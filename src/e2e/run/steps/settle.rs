//! Observes that nothing is in flight: no consumer has anything pending or unacknowledged.

use std::time::{Duration, Instant};

use crate::broker::in_flight;
use crate::e2e::run::stage::harness::Harness;

/// How long a step waits that does not say.
pub(in crate::e2e) const DEFAULT_WITHIN: Duration = Duration::from_secs(10);
/// JetStream has no event for "all done", and an advisory can be missed: its API is asked.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until all consumers of all streams have nothing left.
///
/// A publish that was acknowledged is pending at once, so that nothing submitted before is missed.
pub(in crate::e2e) async fn settle(harness: &Harness, within: Duration) -> Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        let look = async { in_flight(harness.client().await?).await };
        let busy = match tokio::time::timeout(within, look).await {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(busy))) => busy.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "JetStream does not answer".to_owned(),
        };
        if Instant::now() >= deadline {
            return Err(format!("not settled within {within:?}: {busy}"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
