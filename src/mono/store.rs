//! One message stored in a stream: what the client library does, without what it does beside that. It reads
//! each answer into a tree before it knows which kind it is, and has a permit for each message.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, RequestError};
use bytes::Bytes;
use serde::Deserialize;

use super::connect::Connection;

/// How long an acknowledgement may take, as that of any other request to JetStream.
const LIMIT: Duration = Duration::from_secs(5);

/// What a stream says of what it has stored.
#[derive(Debug)]
pub(crate) struct Stored {
    /// How many messages an atomic batch (ADR-50) had, if it was one.
    pub(crate) together: Option<u64>,
}

/// Publishes a message, and waits until a stream has it.
///
/// # Errors
/// [`PublishError`], as the client library has it.
pub(crate) async fn store(
    connection: &Connection,
    subject: String,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Stored, PublishError> {
    let request = Request::new().headers(headers).payload(body).timeout(None);
    let answer = connection.client().send_request(subject, request);
    let late = |_| PublishError::new(PublishErrorKind::TimedOut);
    let answer = tokio::time::timeout(LIMIT, answer).await.map_err(late)?;
    stored(&answer.map_err(not_sent)?.payload)
}

fn stored(answer: &[u8]) -> Result<Stored, PublishError> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<jetstream::Error>,
        /// Whatever it is the answer of, if it has none.
        seq: Option<u64>,
        count: Option<u64>,
    }
    let other = |e: serde_json::Error| PublishError::with_source(PublishErrorKind::Other, e);
    let Answer { error, seq, count } = serde_json::from_slice(answer).map_err(other)?;
    match (error, seq) {
        (Some(error), _) => {
            let kind = match error.error_code() {
                ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID => PublishErrorKind::WrongLastMessageId,
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE => PublishErrorKind::WrongLastSequence,
                _ => PublishErrorKind::Other,
            };
            Err(PublishError::with_source(kind, error))
        }
        (None, Some(_)) => Ok(Stored { together: count }),
        (None, None) => Err(PublishError::with_source(
            PublishErrorKind::Other,
            "no acknowledgement of a stream",
        )),
    }
}

fn not_sent(error: RequestError) -> PublishError {
    match error.kind() {
        RequestErrorKind::TimedOut => PublishError::new(PublishErrorKind::TimedOut),
        RequestErrorKind::NoResponders => PublishError::new(PublishErrorKind::StreamNotFound),
        RequestErrorKind::MaxPayloadExceeded => {
            PublishError::with_source(PublishErrorKind::MaxPayloadExceeded, error)
        }
        RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
            PublishError::with_source(PublishErrorKind::Other, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_one_and_nothing_else_is() {
        let whole = br#"{"stream":"s","domain":"d","seq":7,"duplicate":true}"#;
        assert_eq!(stored(whole).unwrap().together, None);
        assert_eq!(
            stored(br#"{"stream":"s","seq":9,"batch":"b","count":3}"#).unwrap().together,
            Some(3)
        );
        let refused = |code: u64| {
            let text = format!(
                r#"{{"error":{{"code":400,"err_code":{code},"description":"no"}},"stream":"s","seq":0}}"#
            );
            stored(text.as_bytes()).unwrap_err()
        };
        assert_eq!(refused(10071).kind(), PublishErrorKind::WrongLastSequence);
        assert!(super::super::is_wrong_last_sequence(&refused(10164)));
        assert_eq!(refused(10023).kind(), PublishErrorKind::Other);
        for answer in [&b""[..], b"{}", b"+ACK", b"[1]", br#"{"stream":"s"}"#] {
            let error = stored(answer).unwrap_err();
            assert_eq!(error.kind(), PublishErrorKind::Other, "{error}");
        }
    }
}
