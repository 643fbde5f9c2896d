//! The messages that consumers still have to deliver, or that are not acknowledged.

use std::fmt;

use async_nats::jetstream;
use futures_util::TryStreamExt as _;

/// A consumer that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its stream.
    pub stream: String,
    /// Its name.
    pub consumer: String,
    /// Messages that it has not delivered yet.
    pub pending: u64,
    /// Messages that were delivered, and not acknowledged.
    pub unacknowledged: usize,
}

impl fmt::Display for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, consumer, pending, unacknowledged } = self;
        write!(
            f,
            "consumer {consumer} of stream {stream} has {pending} pending and {unacknowledged} unacknowledged"
        )
    }
}

/// The first consumer of any stream that has something left; `None` where nothing is in flight.
///
/// Each is asked by its name: in a list, the server leaves out whoever has no leader at the moment.
///
/// # Errors
/// The client library's words, as of a consumer that has no leader: nothing is known of it.
pub async fn in_flight(client: async_nats::Client) -> Result<Option<InFlight>, async_nats::Error> {
    let context = jetstream::new(client);
    let streams: Vec<String> = context.stream_names().try_collect().await?;
    for name in streams {
        let stream = context.get_stream_no_info(&name).await?;
        let consumers: Vec<String> = stream.consumer_names().try_collect().await?;
        for consumer in consumers {
            let info = stream.consumer_info(&consumer).await.map_err(|error| {
                format!("consumer {consumer} of stream {name} does not say what it has: {error}")
            })?;
            if info.num_pending > 0 || info.num_ack_pending > 0 {
                let (pending, unacknowledged) = (info.num_pending, info.num_ack_pending);
                return Ok(Some(InFlight { stream: name, consumer, pending, unacknowledged }));
            }
        }
    }
    Ok(None)
}
