//! One message read from a stream: what the client library does, without the headers that it decodes and
//! nobody looks at.

use async_nats::jetstream::{self, ErrorCode};
use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::connect::Connection;

/// Which message is asked for, as JetStream's API has it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Which<'a> {
    /// By its number.
    Number { seq: u64 },
    /// The first one from this number on, on this subject.
    Next { seq: u64, next_by_subj: &'a str },
    /// The last one on this subject.
    Last { last_by_subj: &'a str },
}

/// A message in a stream; its headers, which may be anything, are not looked at.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) sequence: u64,
    pub(crate) body: Vec<u8>,
}

/// A message of a stream, if it is there. The leader answers.
///
/// # Errors
/// The evidence: there was no answer, or none about the message.
pub(crate) async fn message(
    connection: &Connection,
    stream: &str,
    which: &Which<'_>,
) -> Result<Option<Kept>, String> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<Found>,
        error: Option<jetstream::Error>,
    }
    #[derive(Deserialize)]
    struct Found {
        seq: u64,
        #[serde(default)]
        data: String,
    }
    let jetstream = connection.jetstream();
    let asked = jetstream.request(format!("STREAM.MSG.GET.{stream}"), which);
    let answer: Answer = asked.await.map_err(|e| e.to_string())?;
    match (answer.message, answer.error) {
        (Some(Found { seq, data }), _) => {
            let body = base64::engine::general_purpose::STANDARD.decode(data);
            Ok(Some(Kept { sequence: seq, body: body.unwrap_or_default() }))
        }
        (None, Some(error)) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        (None, Some(error)) => Err(error.to_string()),
        (None, None) => Err("an answer without a message".to_owned()),
    }
}
