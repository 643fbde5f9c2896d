//! The messages that consumers still have to deliver, or that are not acknowledged.

use std::fmt;

use async_nats::jetstream::stream::{RetentionPolicy, Stream};
use async_nats::jetstream::{self, consumer};
use futures_util::TryStreamExt as _;

use super::last_sequence::last_sequence;
use crate::counted::counted;

/// A consumer that is not done, or a work queue that nobody consumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its stream.
    pub stream: String,
    /// Its name; `None` of a work queue that has no consumer.
    pub consumer: Option<String>,
    /// Messages that were not delivered yet.
    pub pending: u64,
    /// Messages that were delivered, and not acknowledged.
    pub unacknowledged: usize,
}

impl fmt::Display for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, consumer, pending, unacknowledged } = self;
        let Some(consumer) = consumer else {
            let waiting = counted(*pending, "message");
            return write!(f, "stream {stream} is a work queue with {waiting} and no consumer");
        };
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
        if consumers.is_empty() {
            let info = stream.get_info().await?;
            let pending = info.state.messages;
            // A stream of another kind keeps what it has for whoever wants it, or for nobody.
            if info.config.retention == RetentionPolicy::WorkQueue && pending > 0 {
                let unacknowledged = 0;
                return Ok(Some(InFlight {
                    stream: name,
                    consumer: None,
                    pending,
                    unacknowledged,
                }));
            }
        }
        for consumer in consumers {
            let info = stream.consumer_info(&consumer).await.map_err(|error| {
                format!("consumer {consumer} of stream {name} does not say what it has: {error}")
            })?;
            let mut pending = info.num_pending;
            if pending == 0 {
                pending = behind(&stream, &info).await?;
            }
            if pending > 0 || info.num_ack_pending > 0 {
                let unacknowledged = info.num_ack_pending;
                return Ok(Some(InFlight {
                    stream: name,
                    consumer: Some(consumer),
                    pending,
                    unacknowledged,
                }));
            }
        }
    }
    Ok(None)
}

/// At least how many messages its leader does not know of: in a cluster, a consumer may be led by a
/// node whose copy of the stream is behind, and counts by that copy.
async fn behind<I>(stream: &Stream<I>, info: &consumer::Info) -> Result<u64, async_nats::Error> {
    // Also one without replicas may be of a stream that has some.
    if info.cluster.is_none() {
        return Ok(0);
    }
    let filters = match &info.config {
        config if !config.filter_subject.is_empty() => vec![config.filter_subject.as_str()],
        config => config.filter_subjects.iter().map(String::as_str).collect(),
    };
    let last = last_sequence(stream, filters).await?;
    Ok(u64::from(last > info.delivered.stream_sequence))
}
