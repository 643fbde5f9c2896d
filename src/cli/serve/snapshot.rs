//! One look at the streams of payments and at their consumer, in an order from which it can be told
//! what is missing.

use std::collections::BTreeMap;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::Info as StreamInfo;
use serde::Serialize;
use serde_json::Value;

use super::stream_config::Config;
use crate::modules::payment::{CONSUMER, DEAD_LETTERS, FAILURES, INTENTS, LEDGER, REQUESTS};
use crate::mono::Connection;

/// What a look at one thing shows.
#[derive(Debug, Clone)]
pub(super) enum Look<T> {
    There(T),
    Gone,
    /// There is no answer now; that is told elsewhere.
    Unknown,
}

impl<T> Look<T> {
    pub(super) fn as_ref(&self) -> Look<&T> {
        match self {
            Self::There(seen) => Look::There(seen),
            Self::Gone => Look::Gone,
            Self::Unknown => Look::Unknown,
        }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::There(seen) => Look::There(map(seen)),
            Self::Gone => Look::Gone,
            Self::Unknown => Look::Unknown,
        }
    }

    pub(super) fn seen(&self) -> Option<&T> {
        match self {
            Self::There(seen) => Some(seen),
            Self::Gone | Self::Unknown => None,
        }
    }
}

/// A stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    pub(super) config: Config,
    pub(super) created: String,
    pub(super) messages: u64,
    /// The last message's number.
    pub(super) last: u64,
}

/// The consumer of the requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Consumer {
    pub(super) config: Config,
    pub(super) created: String,
    /// Deliveries there have been.
    pub(super) delivered: u64,
    /// Delivered and not acknowledged.
    pub(super) in_hand: u64,
}

/// All of them. The order in which they are looked at is that of the fields.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) consumer: Look<Consumer>,
    /// By name; the requests before the claims, the claims before the outcomes, the dead letters
    /// before the record of their removal.
    pub(super) streams: BTreeMap<&'static str, Look<Stream>>,
    /// The number of the last request by then.
    pub(super) last_request: u64,
    /// Deliveries by then.
    pub(super) delivered: u64,
    /// How often the connection had been made anew when it began.
    pub(super) reconnects: u64,
}

impl Snapshot {
    pub(super) async fn take(connection: &Connection) -> Self {
        let reconnects = *connection.reconnected().borrow();
        let consumer = consumer(connection).await;
        let mut streams = BTreeMap::new();
        for name in [REQUESTS, INTENTS, LEDGER, DEAD_LETTERS, FAILURES] {
            streams.insert(name, stream(connection, name).await);
        }
        let last_request = stream(connection, REQUESTS).await.seen().map_or(u64::MAX, |s| s.last);
        let delivered = self::consumer(connection).await.seen().map_or(u64::MAX, |c| c.delivered);
        Self { consumer, streams, last_request, delivered, reconnects }
    }

    pub(super) fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.get(name)?.seen()
    }

    /// Whether everything was there and answered.
    pub(super) fn is_whole(&self) -> bool {
        self.consumer.seen().is_some() && self.streams.values().all(|look| look.seen().is_some())
    }
}

async fn stream(connection: &Connection, name: &str) -> Look<Stream> {
    match connection.jetstream().get_stream(name).await {
        Ok(stream) => {
            let StreamInfo { config, created, state, .. } = stream.cached_info();
            Look::There(Stream {
                config: object(config),
                created: created.to_string(),
                messages: state.messages,
                last: state.last_sequence,
            })
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Look::Gone
            }
            _ => Look::Unknown,
        },
    }
}

async fn consumer(connection: &Connection) -> Look<Consumer> {
    let Ok(stream) = connection.jetstream().get_stream_no_info(REQUESTS).await else {
        return Look::Unknown;
    };
    match stream.consumer_info(CONSUMER).await {
        Ok(ConsumerInfo { config, created, delivered, num_ack_pending, .. }) => {
            Look::There(Consumer {
                config: object(&config),
                created: created.to_string(),
                delivered: delivered.consumer_sequence,
                in_hand: num_ack_pending as u64,
            })
        }
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Look::Gone,
        Err(_) => Look::Unknown,
    }
}

fn object(config: &impl Serialize) -> Config {
    match serde_json::to_value(config) {
        Ok(Value::Object(config)) => config,
        _ => Config::default(),
    }
}
