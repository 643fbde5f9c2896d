//! Reads whole streams of the payment service: for listing dead letters and for the audit.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, State, Stream};
use bytes::Bytes;
use futures_util::{StreamExt, stream as futures_stream};

use crate::mono::{Connection, ensure};
use crate::wire::Unreadable;

/// How long the next message of a stream may take to come; what has not come by then is asked for
/// by its number.
const NEXT: Duration = Duration::from_secs(1);
/// How many messages are asked for at once.
const AT_ONCE: usize = 64;

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
    /// What to do about it, where there is something to do.
    pub hint: Option<String>,
}

/// What a stream holds, and what it should hold and cannot show.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The messages that could be read, oldest first.
    pub messages: Vec<Stored>,
    /// How many the stream says it has.
    pub stated: u64,
    /// The first message's number, by the stream's own account; 1 or more than the last in an empty
    /// one.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
    /// Numbers of messages that should be there, and are not.
    pub missing: Vec<u64>,
}

impl Contents {
    /// A line for each message whose headers cannot be read.
    pub fn unreadable<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = String> + 'a {
        self.messages.iter().filter_map(move |message| {
            let unreadable = Unreadable::of(Some(&message.headers))?;
            Some(format!("stream `{stream}`: message `{}`: `{unreadable}`", message.sequence))
        })
    }
}

/// The stream of this name; `None` where there is none.
///
/// # Errors
/// [`StoreError`].
pub async fn find(connection: &Connection, name: &str) -> Result<Option<Stream>, StoreError> {
    ensure::find(connection, name)
        .await
        .map_err(|e| StoreError { hint: e.hint, ..failed("find", name, e.evidence) })
}

/// Everything in a stream, from its first message to the last that it has now.
///
/// # Errors
/// [`StoreError`].
pub async fn read(stream: &Stream) -> Result<Contents, StoreError> {
    let name = &stream.cached_info().config.name;
    let info = stream.get_info().await.map_err(|e| failed("look at", name, e))?;
    read_to(stream, &info.state).await
}

/// The same to the last message that it had when it was found.
///
/// # Errors
/// [`StoreError`].
pub async fn read_found(stream: &Stream) -> Result<Contents, StoreError> {
    read_to(stream, &stream.cached_info().state).await
}

async fn read_to(stream: &Stream, state: &State) -> Result<Contents, StoreError> {
    let name = stream.cached_info().config.name.clone();
    let mut contents = Contents {
        stated: state.messages,
        first: state.first_sequence,
        last: state.last_sequence,
        ..Contents::default()
    };
    if state.messages == 0 {
        return Ok(contents);
    }
    let consumer = ensure::reader(stream)
        .await
        .map_err(|e| StoreError { hint: e.hint, ..failed("read", &name, e.evidence) })?;
    // Made anew where the connection breaks: then the last message tells its name.
    let mut reader = consumer.cached_info().name.clone();
    let mut messages = consumer.messages().await.map_err(|e| failed("read", &name, e))?;
    let mut expected = state.first_sequence;
    let mut unseen: Vec<u64> = Vec::new();
    while expected <= state.last_sequence {
        let next = tokio::time::timeout(NEXT, messages.next()).await;
        let message = match next {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(e))) => return Err(failed("read", &name, e)),
            // What cannot be read at the end is pending for ever.
            Ok(None) | Err(_) => break,
        };
        let info = message.info().map_err(|e| failed("read", &name, e))?;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        if info.consumer != reader {
            reader = info.consumer.to_owned();
        }
        unseen.extend(expected..sequence);
        expected = sequence + 1;
        // Taken and not copied: there may be many.
        let (message, _) = message.split();
        contents.messages.push(Stored {
            sequence,
            subject: message.subject.into_string(),
            headers: message.headers.unwrap_or_default(),
            body: message.payload,
        });
        if pending == 0 {
            break;
        }
    }
    drop(messages);
    // Else it stays for some seconds, and a server has room for so many only. Gone is gone.
    let _ = stream.delete_consumer(&reader).await;
    unseen.extend(expected..=state.last_sequence);
    // A busy server may just have been slow: each is asked for by its number.
    let (found, missing) = by_number(stream, &name, unseen).await?;
    contents.missing = missing;
    if !found.is_empty() {
        contents.messages.extend(found);
        contents.messages.sort_by_key(|message| message.sequence);
    }
    Ok(contents)
}

/// What a stream has whose messages are removed once they are handled: no gap is damage by itself,
/// and what the server says is there must be there.
///
/// # Errors
/// [`StoreError`].
pub async fn read_waiting(stream: &Stream) -> Result<Contents, StoreError> {
    let name = stream.cached_info().config.name.clone();
    let live = || async {
        let asked = stream.info_builder().with_deleted(true).fetch().await;
        let state = asked.map_err(|e| failed("look at", &name, e))?.info.state;
        let deleted: HashSet<u64> = state.deleted.iter().flatten().copied().collect();
        let all = state.first_sequence..=state.last_sequence;
        let numbers: Vec<u64> = all.filter(|number| !deleted.contains(number)).collect();
        Ok::<_, StoreError>((state, numbers))
    };
    let (state, numbers) = live().await?;
    let (messages, unread) = by_number(stream, &name, numbers).await?;
    let mut contents = Contents {
        messages,
        stated: state.messages,
        first: state.first_sequence,
        last: state.last_sequence,
        ..Contents::default()
    };
    if !unread.is_empty() {
        // Some were handled while we read.
        let still: HashSet<u64> = live().await?.1.into_iter().collect();
        contents.missing = unread.into_iter().filter(|number| still.contains(number)).collect();
    }
    Ok(contents)
}

/// The messages of these numbers that can be read, and the numbers of those that cannot.
async fn by_number(
    stream: &Stream,
    name: &str,
    numbers: Vec<u64>,
) -> Result<(Vec<Stored>, Vec<u64>), StoreError> {
    let mut answers = futures_stream::iter(numbers)
        .map(|number| async move { (number, stream.get_raw_message(number).await) })
        .buffered(AT_ONCE);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    while let Some((number, answer)) = answers.next().await {
        match answer {
            Ok(message) => found.push(Stored {
                sequence: message.sequence,
                subject: message.subject.to_string(),
                headers: message.headers,
                body: message.payload,
            }),
            Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => missing.push(number),
            Err(e) => return Err(failed("read", name, e)),
        }
    }
    Ok((found, missing))
}

pub(super) fn failed(
    operation: &'static str,
    stream: &str,
    evidence: impl std::fmt::Display,
) -> StoreError {
    StoreError { operation, stream: stream.to_owned(), evidence: evidence.to_string(), hint: None }
}
