//! What the typed clients share: a request whose failure is one of the contract's kinds.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::{PublishErrorKind, Request, RequestErrorKind};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client_error::ClientError;
use super::reply::{read, readable, service_error};
use crate::mono::{BarrierError, Caller, Denied, Sending};
use crate::wire::driver::Ack;
use crate::wire::headers as h;

/// Sends `request` as JSON and reads the reply.
///
/// # Errors
/// [`ClientError`]; an error reply becomes [`ClientError::Service`].
pub(crate) async fn request<T: Serialize, R: DeserializeOwned>(
    caller: &Caller,
    subject: &str,
    request: &T,
    limit: Duration,
) -> Result<R, ClientError> {
    let body = encode(request)?;
    let reply = ask(caller, subject, None, body, limit).await?;
    readable(subject, &reply)?;
    if let Some(error) = service_error(subject, &reply) {
        return Err(error);
    }
    read(&reply.payload).map_err(|e| super::client_error::ClientError::Other {
        operation: format!("read the reply of `{subject}`"),
        evidence: e.to_string(),
    })
}

/// Publishes, and makes sure that somebody listens, by asking for an answer: an answer, a refusal or
/// silence, in each case somebody was there.
///
/// # Errors
/// [`ClientError::NoResponders`] where nobody is, and what [`ask`] says of a message that was not
/// sent.
pub async fn publish_confirmed(
    caller: &Caller,
    subject: &str,
    headers: Option<HeaderMap>,
    body: Bytes,
    limit: Duration,
) -> Result<(), ClientError> {
    match ask(caller, subject, headers, body, limit).await {
        Ok(_) => Ok(()),
        // A broker that answers now has read the message, and would have said that nobody is there.
        Err(silence @ super::client_error::ClientError::Timeout { .. }) => {
            caller.barrier(limit).await.map_err(|_| silence)
        }
        Err(error) => Err(error),
    }
}

/// Sends bytes and returns the reply as it came, an error reply too.
///
/// # Errors
/// [`ClientError`].
pub async fn ask(
    caller: &Caller,
    subject: &str,
    headers: Option<HeaderMap>,
    body: Bytes,
    limit: Duration,
) -> Result<async_nats::Message, ClientError> {
    let bytes = body.len();
    let mut request = Request::new().payload(body).timeout(Some(limit));
    if let Some(headers) = headers {
        request = request.headers(headers);
    }
    let operation = || format!("request `{subject}`");
    let client = caller.client();
    let asked = client.send_request(subject.to_owned(), request);
    let answered = caller.unless_denied(&[subject], asked).await;
    answered.map_err(|e| denied(&operation(), e))?.map_err(|e| match e.kind() {
        RequestErrorKind::NoResponders => {
            super::client_error::ClientError::NoResponders { subject: subject.to_owned() }
        }
        RequestErrorKind::TimedOut => {
            super::client_error::ClientError::Timeout { operation: operation(), limit }
        }
        RequestErrorKind::MaxPayloadExceeded => {
            super::client_error::ClientError::MaxPayload { bytes, limit: client.max_payload() }
        }
        RequestErrorKind::InvalidSubject => {
            super::client_error::ClientError::BadInput(format!("{subject:?} is not a subject"))
        }
        RequestErrorKind::Other => super::client_error::ClientError::Connection {
            operation: operation(),
            evidence: e.to_string(),
        },
    })
}

/// Publishes bodies to one subject; the broker has them all, and has refused none, when this
/// returns. Their size is checked before the first is published.
///
/// # Errors
/// [`ClientError`].
pub async fn publish_all(
    caller: &Caller,
    subject: &str,
    bodies: Vec<Bytes>,
    limit: Duration,
) -> Result<(), ClientError> {
    let largest = bodies.iter().map(Bytes::len).max().unwrap_or_default();
    if largest > caller.client().max_payload() {
        let limit = caller.client().max_payload();
        return Err(super::client_error::ClientError::MaxPayload { bytes: largest, limit });
    }
    let sending = caller.sending();
    let published = async {
        for body in bodies {
            publish_one(caller, subject, None, body).await?;
        }
        taken(caller, sending, subject, limit).await
    };
    let published = caller.unless_denied(&[subject], published).await;
    published.map_err(|e| denied(&format!("publish to `{subject}`"), e))?
}

/// Publishes one message; the broker has it, and has not refused it, when this returns.
///
/// # Errors
/// [`ClientError`].
pub async fn publish(
    caller: &Caller,
    subject: &str,
    headers: Option<HeaderMap>,
    body: Bytes,
    limit: Duration,
) -> Result<(), ClientError> {
    let sending = caller.sending();
    let published = async {
        publish_one(caller, subject, headers, body).await?;
        taken(caller, sending, subject, limit).await
    };
    let published = caller.unless_denied(&[subject], published).await;
    published.map_err(|e| denied(&format!("publish to `{subject}`"), e))?
}

async fn publish_one(
    caller: &Caller,
    subject: &str,
    headers: Option<HeaderMap>,
    body: Bytes,
) -> Result<(), ClientError> {
    let (client, bytes) = (caller.client(), body.len());
    let sent = match headers {
        None => client.publish(subject.to_owned(), body).await,
        Some(headers) => client.publish_with_headers(subject.to_owned(), headers, body).await,
    };
    sent.map_err(|e| match e.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            super::client_error::ClientError::MaxPayload { bytes, limit: client.max_payload() }
        }
        PublishErrorKind::InvalidSubject => {
            super::client_error::ClientError::BadInput(format!("{subject:?} is not a subject"))
        }
        PublishErrorKind::Send => super::client_error::ClientError::Connection {
            operation: format!("publish to `{subject}`"),
            evidence: e.to_string(),
        },
    })
}

async fn taken(
    caller: &Caller,
    sending: Sending,
    subject: &str,
    limit: Duration,
) -> Result<(), ClientError> {
    let operation = format!("publish to `{subject}`");
    caller.taken(sending, limit).await.map_err(|e| match e {
        BarrierError::Late(limit) => super::client_error::ClientError::Timeout { operation, limit },
        BarrierError::Connection(evidence) => {
            super::client_error::ClientError::Connection { operation, evidence }
        }
    })
}

/// A refusal, with what was tried.
pub(crate) fn denied(operation: &str, Denied { words, definite }: Denied) -> ClientError {
    super::client_error::ClientError::Permissions {
        operation: operation.to_owned(),
        evidence: words,
        definite,
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, ClientError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| {
        super::client_error::ClientError::BadInput(format!("the request cannot be encoded: {e}"))
    })
}

#[derive(Deserialize)]
struct PublishReply {
    #[serde(default)]
    stream: String,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    code: u16,
    #[serde(default)]
    description: String,
}

/// Publishes to JetStream and reads the acknowledgement.
///
/// # Errors
/// [`ClientError::NoStream`] where nothing stores the subject; [`ClientError::PublishRefused`]
/// with JetStream's code and words where the stream refused it.
pub async fn publish_acknowledged(
    caller: &Caller,
    subject: &str,
    headers: HeaderMap,
    body: Bytes,
    limit: Duration,
) -> Result<Ack, ClientError> {
    let operation = || format!("publish to `{subject}`");
    let no_stream = || super::client_error::ClientError::NoStream { subject: subject.to_owned() };
    let reply = match ask(caller, subject, Some(headers), body, limit).await {
        Err(super::client_error::ClientError::NoResponders { .. }) => return Err(no_stream()),
        Err(super::client_error::ClientError::Timeout { limit, .. }) => {
            return Err(super::client_error::ClientError::Timeout {
                operation: operation(),
                limit,
            });
        }
        Err(super::client_error::ClientError::Permissions { evidence, definite, .. }) => {
            let operation = operation();
            return Err(super::client_error::ClientError::Permissions {
                operation,
                evidence,
                definite,
            });
        }
        other => other?,
    };
    let not_acknowledged = || super::client_error::ClientError::NotAcknowledged {
        subject: subject.to_owned(),
        answer: h::bounded(&String::from_utf8_lossy(&reply.payload), 100),
    };
    readable(subject, &reply)?;
    let ack: PublishReply = read(&reply.payload).map_err(|_| not_acknowledged())?;
    match (ack.error, ack.seq) {
        (Some(error), _) => Err(super::client_error::ClientError::PublishRefused {
            subject: subject.to_owned(),
            code: error.code,
            message: match error.description.is_empty() {
                true => "JetStream gave no reason".to_owned(),
                false => error.description,
            },
        }),
        (None, Some(sequence)) if !ack.stream.is_empty() && sequence > 0 => {
            Ok(Ack { stream: ack.stream, sequence, duplicate: ack.duplicate })
        }
        (None, _) => Err(not_acknowledged()),
    }
}
