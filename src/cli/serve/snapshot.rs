//! One look at the streams of payments and at their consumer, in an order from which it can be told
//! what is missing.

use std::collections::BTreeMap;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::Info as StreamInfo;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::astray::Astray;
use super::stream_config::Config;
use crate::modules::payment::{CONSUMER, DEAD_LETTERS, FAILURES, INTENTS, LEDGER, REQUESTS};
use crate::mono::Connection;

/// What a look at one thing shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) config: Config,
    pub(super) created: String,
    pub(super) messages: u64,
    /// The number of the first message that is there, or after the last one.
    pub(super) first: u64,
    /// The last message's number.
    pub(super) last: u64,
    /// Messages that lie on subjects which nobody reads, by the last count.
    pub(super) astray: u64,
}

/// The consumer of the requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Consumer {
    pub(super) config: Config,
    pub(super) created: String,
    /// Deliveries there have been.
    pub(super) delivered: u64,
    /// Delivered and not acknowledged.
    pub(super) in_hand: u64,
    /// The number of the last message that was delivered.
    pub(super) delivered_to: u64,
    /// Not delivered yet.
    pub(super) pending: u64,
    /// Everything up to this number is acknowledged, or given up.
    pub(super) floor: u64,
}

impl Consumer {
    /// Requests that are not settled.
    pub(super) fn waiting(&self) -> u64 {
        self.pending.saturating_add(self.in_hand)
    }
}

/// The streams, in the order in which they are looked at: the requests before the claims, the claims before
/// the outcomes, the dead letters before the record of their removal.
const LOOKED_AT: [&str; 5] = [REQUESTS, INTENTS, LEDGER, DEAD_LETTERS, FAILURES];

/// All of them. The order in which they are looked at is that of the fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) consumer: Look<Consumer>,
    /// By name.
    pub(super) streams: BTreeMap<String, Look<Stream>>,
    /// The number of the last request by then.
    pub(super) last_request: u64,
    /// Deliveries by then.
    pub(super) delivered: u64,
    /// Requests that were not settled by then, as the consumer counts them. The stream may have more: a
    /// mirror, or a stream that sources from it, keeps what is settled until it has it.
    pub(super) waiting: u64,
    /// How often the connection had been made anew when it began.
    pub(super) reconnects: u64,
}

impl Snapshot {
    /// Of streams that have not had a message yet, all at once: where nothing has happened, nothing can have
    /// happened between two looks. `None` where one has had a message, or is not there; and in a cluster,
    /// where one server asks all others for a list.
    pub(super) async fn untouched(connection: &Connection) -> Option<Self> {
        if connection.client().server_info().cluster.is_some() {
            return None;
        }
        let reconnects = *connection.reconnected().borrow();
        let (mut listed, consumer) = (connection.jetstream().streams(), consumer(connection));
        let streams = async {
            let mut streams = BTreeMap::new();
            while let Some(Ok(info)) = listed.next().await {
                streams.insert(info.config.name.clone(), Look::There(Stream::from(&info)));
            }
            streams
        };
        let (consumer, mut streams) = tokio::join!(consumer, streams);
        streams.retain(|name, _| LOOKED_AT.contains(&name.as_str()));
        let is_untouched = streams.len() == LOOKED_AT.len()
            && streams.values().all(|look| look.seen().is_some_and(|stream| stream.last == 0))
            && consumer.seen().is_some_and(|consumer| consumer.delivered == 0);
        is_untouched.then_some(Self {
            consumer,
            streams,
            last_request: 0,
            delivered: 0,
            waiting: 0,
            reconnects,
        })
    }

    pub(super) async fn take(connection: &Connection) -> Self {
        let reconnects = *connection.reconnected().borrow();
        let consumer = consumer(connection).await;
        let mut streams = BTreeMap::new();
        for name in LOOKED_AT {
            streams.insert(name.to_owned(), stream(connection, name).await);
        }
        let requests = stream(connection, REQUESTS).await;
        let last = self::consumer(connection).await;
        let last_request = requests.seen().map_or(u64::MAX, |s| s.last);
        let delivered = last.seen().map_or(u64::MAX, |c| c.delivered);
        let waiting = last.seen().map_or(u64::MAX, Consumer::waiting);
        Self { consumer, streams, last_request, delivered, waiting, reconnects }
    }

    pub(super) fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.get(name)?.seen()
    }

    /// Forgets the streams that are others by now.
    pub(super) fn forget_what_was_made_anew(&mut self, now: &Self) {
        self.streams.retain(|name, look| {
            let (was, is) = (look.seen(), now.stream(name));
            was.zip(is).is_none_or(|(was, is)| was.created == is.created)
        });
    }

    /// Notes what the last count has found.
    pub(super) fn note(&mut self, astray: &Astray) {
        for (name, look) in &mut self.streams {
            if let Look::There(stream) = look {
                stream.astray =
                    astray.get(name.as_str()).copied().unwrap_or(0).min(stream.messages);
            }
        }
    }

    /// Whether everything was there and answered.
    pub(super) fn is_whole(&self) -> bool {
        self.consumer.seen().is_some() && self.streams.values().all(|look| look.seen().is_some())
    }
}

impl From<&StreamInfo> for Stream {
    fn from(info: &StreamInfo) -> Self {
        let StreamInfo { config, created, state, .. } = info;
        Self {
            config: object(config),
            created: created.to_string(),
            messages: state.messages,
            first: state.first_sequence,
            last: state.last_sequence,
            astray: 0,
        }
    }
}

async fn stream(connection: &Connection, name: &str) -> Look<Stream> {
    match connection.jetstream().get_stream(name).await {
        Ok(stream) => Look::There(Stream::from(stream.cached_info())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Look::Gone
            }
            _ => Look::Unknown,
        },
    }
}

pub(super) async fn consumer(connection: &Connection) -> Look<Consumer> {
    let Ok(stream) = connection.jetstream().get_stream_no_info(REQUESTS).await else {
        return Look::Unknown;
    };
    match stream.consumer_info(CONSUMER).await {
        Ok(ConsumerInfo {
            config,
            created,
            delivered,
            num_ack_pending,
            ack_floor,
            num_pending,
            ..
        }) => Look::There(Consumer {
            config: object(&config),
            created: created.to_string(),
            delivered: delivered.consumer_sequence,
            in_hand: num_ack_pending as u64,
            delivered_to: delivered.stream_sequence,
            pending: num_pending,
            floor: ack_floor.stream_sequence,
        }),
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
