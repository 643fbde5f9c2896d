//! Observes that nothing is in flight: no consumer has anything pending or unacknowledged.

use std::time::{Duration, Instant, SystemTime};

use async_nats::jetstream::{self, message::StreamMessage};

use crate::broker::{InFlight, in_flight};
use crate::e2e::run::stage::harness::Harness;

/// How long a step waits that does not say.
pub(in crate::e2e) const DEFAULT_WITHIN: Duration = Duration::from_secs(10);
/// JetStream has no event for "all done", and an advisory can be missed: its API is asked.
const INTERVAL: Duration = Duration::from_millis(5);
/// How long it may take to find out what is waited for.
const EXPLAIN: Duration = Duration::from_secs(2);

/// Something was still in flight at the end of the time.
#[derive(Debug, thiserror::Error)]
#[error("not settled within {within:?}: {what}")]
pub(in crate::e2e) struct Unsettled {
    within: Duration,
    what: String,
    /// It was delivered, and may be delivered again.
    pub(in crate::e2e) is_unacknowledged: bool,
}

/// Waits until all consumers of all streams have nothing left.
///
/// A publish that was acknowledged is pending at once, so that nothing submitted before is missed.
pub(in crate::e2e) async fn settle(harness: &Harness, within: Duration) -> Result<(), Unsettled> {
    let deadline = Instant::now() + within;
    loop {
        let look = async { in_flight(harness.client().await?).await };
        let mut left = None;
        let busy = match tokio::time::timeout(within, look).await {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(busy))) => left.insert(busy).to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "JetStream does not answer".to_owned(),
        };
        if Instant::now() >= deadline {
            let more = match &left {
                Some(left) => waited_for(harness, left).await.unwrap_or_default(),
                None => String::new(),
            };
            let is_unacknowledged = left.is_some_and(|left| left.unacknowledged > 0);
            return Err(Unsettled { within, what: format!("{busy}{more}"), is_unacknowledged });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Which message is waited for, and when it is delivered again; `None` where that is not known.
async fn waited_for(harness: &Harness, left: &InFlight) -> Option<String> {
    let look = async {
        let context = jetstream::new(harness.client().await.ok()?);
        let stream = context.get_stream(&left.stream).await.ok()?;
        let info = stream.consumer_info(left.consumer.as_ref()?).await.ok()?;
        let first = info.ack_floor.stream_sequence + 1;
        let filters = match &info.config {
            config if !config.filter_subject.is_empty() => vec![config.filter_subject.clone()],
            config if !config.filter_subjects.is_empty() => config.filter_subjects.clone(),
            _ => vec![">".to_owned()],
        };
        let mut message = None;
        for filter in filters {
            let found = stream.get_first_raw_message_by_subject(&filter, first).await.ok();
            let earlier = |found: &StreamMessage| {
                message.as_ref().is_none_or(|known: &StreamMessage| found.sequence < known.sequence)
            };
            message = found.filter(earlier).or(message);
        }
        let message = message?;
        let mut told =
            format!("; the first is sequence {}, on {}", message.sequence, message.subject);
        if left.unacknowledged > 0 {
            told.push_str(&format!(
                "; what is not acknowledged comes again {}",
                again(info.config.ack_wait, &info.config.backoff)
            ));
            let since =
                info.delivered.last_active.and_then(|at| SystemTime::from(at).elapsed().ok());
            if let Some(since) = since {
                told.push_str(&format!("; the last delivery was {since:.1?} ago"));
            }
        }
        Some(told)
    };
    tokio::time::timeout(EXPLAIN, look).await.ok()?
}

/// When a message that nobody acknowledges is delivered again.
fn again(ack_wait: Duration, backoff: &[Duration]) -> String {
    match backoff {
        [] => format!("{ack_wait:?} after its delivery (`ack_wait`)"),
        [first, ..] => {
            format!("{first:?} after its first delivery (`backoff`, which overrides `ack_wait`)")
        }
    }
}
