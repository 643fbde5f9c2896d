//! Reads whole streams of the payment service: for listing dead letters and for the audit.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Context, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;

/// How long the next message of a stream may take to come.
const NEXT: Duration = Duration::from_secs(10);

/// A stored message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The subject it is stored on.
    pub subject: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why a stream could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} stream `{stream}`: {evidence}")]
pub struct StoreError {
    /// What was tried.
    pub operation: &'static str,
    /// Which stream.
    pub stream: String,
    /// What came back.
    pub evidence: String,
}

/// What a stream holds, and what it should hold and cannot show.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The messages that could be read, oldest first.
    pub messages: Vec<Stored>,
    /// How many the stream says it has.
    pub stated: u64,
    /// Sequences between the first and the last that are not there.
    pub missing: Vec<u64>,
}

/// The stream of this name; `None` where there is none.
///
/// # Errors
/// [`StoreError`].
pub async fn find(jetstream: &Context, name: &str) -> Result<Option<Stream>, StoreError> {
    match jetstream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if matches!(e.kind(), GetStreamErrorKind::JetStream(ref e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND) => {
            Ok(None)
        }
        Err(e) => Err(failed("find", name, e)),
    }
}

/// Everything in a stream, from its first message to the last that it has now.
///
/// # Errors
/// [`StoreError`].
pub async fn read(stream: &Stream) -> Result<Contents, StoreError> {
    let name = stream.cached_info().config.name.clone();
    let info = stream.get_info().await.map_err(|e| failed("look at", &name, e))?;
    let state = info.state;
    let mut contents = Contents { stated: state.messages, ..Contents::default() };
    if state.messages == 0 {
        return Ok(contents);
    }
    let consumer = stream
        .create_consumer(OrderedConfig::default())
        .await
        .map_err(|e| failed("read", &name, e))?;
    let mut messages = consumer.messages().await.map_err(|e| failed("read", &name, e))?;
    let mut expected = state.first_sequence;
    while expected <= state.last_sequence {
        let next = tokio::time::timeout(NEXT, messages.next()).await;
        let message = match next {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(e))) => return Err(failed("read", &name, e)),
            // Damaged blocks at the end: the broker has nothing more to show.
            Ok(None) | Err(_) => break,
        };
        let info = message.info().map_err(|e| failed("read", &name, e))?;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        contents.missing.extend(expected..sequence);
        expected = sequence + 1;
        contents.messages.push(Stored {
            sequence,
            subject: message.subject.to_string(),
            headers: message.headers.clone().unwrap_or_default(),
            body: message.payload.clone(),
        });
        if pending == 0 {
            break;
        }
    }
    contents.missing.extend(expected..=state.last_sequence);
    Ok(contents)
}

pub(super) fn failed(
    operation: &'static str,
    stream: &str,
    evidence: impl std::fmt::Display,
) -> StoreError {
    StoreError { operation, stream: stream.to_owned(), evidence: evidence.to_string() }
}
