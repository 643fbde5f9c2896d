//! The last message of a stream, as its leader has it.

use async_nats::Error;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};

/// The sequence of the last message on any of these subjects, which may have wildcards, or on any at
/// all where none is given; 0 where there is no such message. Consumers count by the copy of whichever
/// node leads them, which may be behind; this one asks the stream's leader (`STREAM.MSG.GET`).
///
/// # Errors
/// The client library's words.
pub async fn last_sequence<I>(
    stream: &Stream<I>,
    subjects: impl IntoIterator<Item = &str>,
) -> Result<u64, Error> {
    let mut subjects = subjects.into_iter().peekable();
    if subjects.peek().is_none() {
        return last_on(stream, ">").await;
    }
    let mut last = 0;
    for subject in subjects {
        last = last_on(stream, subject).await?.max(last);
    }
    Ok(last)
}

async fn last_on<I>(stream: &Stream<I>, subject: &str) -> Result<u64, Error> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(message.sequence),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}
