//! Observes that nothing is in flight: no consumer has anything pending or unacknowledged.

use std::time::{Duration, Instant, SystemTime};

use async_nats::jetstream::{self, message::StreamMessage};

use crate::broker::{InFlight, in_flight};
use crate::counted::counted;
use crate::e2e::run::stage::harness::Harness;

/// How long a step waits that does not say.
pub(in crate::e2e) const DEFAULT_WITHIN: Duration = Duration::from_secs(10);
/// JetStream has no event for "all done", and an advisory can be missed: its API is asked.
const INTERVAL: Duration = Duration::from_millis(5);
/// So often a message may be delivered anew because somebody was started again.
const RESTARTS: u128 = 20;
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
        let wait = *info.config.backoff.first().unwrap_or(&info.config.ack_wait);
        let since = Deliveries {
            many: info.delivered.consumer_sequence.saturating_sub(info.ack_floor.consumer_sequence),
            messages: info.delivered.stream_sequence.saturating_sub(info.ack_floor.stream_sequence),
            age: SystemTime::from(message.time).elapsed().unwrap_or_default(),
        };
        if let Some(refused) = since.refused(wait) {
            told.push_str(&refused);
        } else if left.unacknowledged > 0 {
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

/// The deliveries of a consumer behind what is acknowledged.
struct Deliveries {
    many: u64,
    /// At most so many messages they are of.
    messages: u64,
    /// How long the first of them can have been delivered.
    age: Duration,
}

impl Deliveries {
    /// Where there were more than waiting for an acknowledgement (`wait`) can lead to, a worker refuses
    /// what it gets; JetStream itself does not say so.
    fn refused(&self, wait: Duration) -> Option<String> {
        let waited = self.age.as_nanos() / wait.as_nanos().max(1);
        // A server that starts again delivers anew, and a worker that does.
        let most = u128::from(self.messages) * (waited + RESTARTS);
        (u128::from(self.many) > most).then(|| {
            let whose = match self.messages {
                1 => "it was".to_owned(),
                many => format!("it and what follows ({}) were", counted(many, "message")),
            };
            format!(
                "; {whose} delivered {} within {:.1?}, far more often than `ack_wait` leads to: a worker \
                 refuses it (-NAK)",
                counted(self.many, "time"),
                self.age
            )
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_refuses_is_told_from_one_that_does_not_answer() {
        let wait = Duration::from_secs(30);
        let of = |many, messages, seconds| {
            let age = Duration::from_secs(seconds);
            Deliveries { many, messages, age }.refused(wait)
        };
        let told = of(28_187, 1, 6).unwrap();
        let words = "; it was delivered 28187 times within 6.0s, far more often than `ack_wait` leads to: a \
                     worker refuses it (-NAK)";
        assert_eq!(told, words);
        assert!(of(28_187, 100, 6).unwrap().contains("it and what follows (100 messages) were"));
        // Once each, and again after each wait, and after a few starts.
        for silent in [of(1, 1, 6), of(100, 100, 6), of(21, 1, 30), of(3 * 100, 100, 60)] {
            assert_eq!(silent, None);
        }
    }
}
