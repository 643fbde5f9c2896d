//! Observes that nothing is in flight: no consumer has anything pending or unacknowledged.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures_util::TryStreamExt as _;

use crate::e2e::run::stage::brokers::Access;

/// How long a step waits that does not say.
pub(in crate::e2e) const DEFAULT_WITHIN: Duration = Duration::from_secs(10);
/// JetStream has no event for "all done", and an advisory can be missed: its API is asked.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until all consumers of all streams have nothing left.
///
/// A publish that was acknowledged is pending at once, so that nothing submitted before is missed.
pub(in crate::e2e) async fn settle(access: &Access, within: Duration) -> Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        let busy = match tokio::time::timeout(within, busy(access)).await {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(busy))) => busy,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "JetStream does not answer".to_owned(),
        };
        if Instant::now() >= deadline {
            return Err(format!("not settled within {within:?}: {busy}"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The first consumer that has something left, in words.
async fn busy(access: &Access) -> Result<Option<String>, async_nats::Error> {
    let context = jetstream::new(access.connect().await?);
    let streams: Vec<_> = context.streams().try_collect().await?;
    for stream in streams {
        let stream = context.get_stream_no_info(&stream.config.name).await?;
        let consumers: Vec<_> = stream.consumers().try_collect().await?;
        for consumer in consumers {
            if consumer.num_pending > 0 || consumer.num_ack_pending > 0 {
                return Ok(Some(format!(
                    "consumer {} of stream {} has {} pending and {} unacknowledged",
                    consumer.name,
                    consumer.stream_name,
                    consumer.num_pending,
                    consumer.num_ack_pending
                )));
            }
        }
    }
    Ok(None)
}
