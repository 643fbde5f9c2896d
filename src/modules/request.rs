//! What the typed clients share: a request whose failure is one of the contract's kinds.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::{PublishErrorKind, Request, RequestErrorKind};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::reply::{read, readable, service_error};
use crate::mono::{BarrierError, Caller, Denied};
use crate::wire::driver::{Ack, ErrorKind};
use crate::wire::headers as h;

/// Why a typed client's call failed. Each says whether it certainly did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The arguments were refused here; nothing was sent.
    #[error("{0}")]
    BadInput(String),
    /// Nobody listens on the subject.
    #[error("request `{subject}`: no responders: no service listens on this subject")]
    NoResponders {
        /// Where the request went.
        subject: String,
    },
    /// No stream has this subject.
    #[error("publish to `{subject}`: no stream has this subject")]
    NoStream {
        /// Where the message went.
        subject: String,
    },
    /// The stream refused it.
    #[error("publish to `{subject}`: the stream refused it: {message} ({code})")]
    PublishRefused {
        /// Where the message went.
        subject: String,
        /// JetStream's code, as an HTTP status.
        code: u16,
        /// JetStream's words.
        message: String,
    },
    /// Something answered, and it was not a stream: a service listens on the subject.
    #[error("publish to `{subject}`: the answer is not a stream's acknowledgement: {answer}")]
    NotAcknowledged {
        /// Where the message went.
        subject: String,
        /// A bounded excerpt of what came back.
        answer: String,
    },
    /// No answer in time; it may have happened.
    #[error("{operation}: no answer within {limit:?}; it may have happened")]
    Timeout {
        /// What was tried.
        operation: String,
        /// The bound that passed.
        limit: Duration,
    },
    /// The service answered with an error.
    #[error("{subject} answered {code}: {message}")]
    Service {
        /// Who answered.
        subject: String,
        /// 400, 500, 503: see CONTRACT.md.
        code: u16,
        /// The service's words.
        message: String,
    },
    /// It answered, and the answer's headers cannot be read: whether it is an error is unknown.
    #[error("{subject} answered, and {what}; its body: {body}")]
    Unreadable {
        /// Who answered.
        subject: String,
        /// What could not be read.
        what: String,
        /// A bounded excerpt of the body.
        body: String,
    },
    /// A domain error in a normal reply.
    #[error("{0}")]
    Domain(String),
    /// Larger than the server's `max_payload`; nothing was sent.
    #[error("the message of {bytes} bytes is larger than the server's max_payload of {limit}")]
    MaxPayload {
        /// The message's size.
        bytes: usize,
        /// The server's limit.
        limit: usize,
    },
    /// The server denied it.
    #[error("{operation}: {evidence}")]
    Permissions {
        /// What was tried.
        operation: String,
        /// The server's words.
        evidence: String,
        /// False where it refused only the inbox that the answer would have come to.
        definite: bool,
    },
    /// The connection broke, or there is none; it may have happened.
    #[error("{operation}: {evidence}")]
    Connection {
        /// What was tried.
        operation: String,
        /// What came back.
        evidence: String,
    },
    /// Anything else, as an answer that cannot be read.
    #[error("{operation}: {evidence}")]
    Other {
        /// What was tried.
        operation: String,
        /// What came back.
        evidence: String,
    },
}

impl ClientError {
    /// True if it certainly did not happen. A failure inside a service (500) may have come after
    /// its effect.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Permissions { definite, .. } => *definite,
            Self::Service { code, .. } => (400..500).contains(code) || *code == 503,
            Self::Timeout { .. }
            | Self::NotAcknowledged { .. }
            | Self::Unreadable { .. }
            | Self::Connection { .. }
            | Self::Other { .. } => false,
            _ => true,
        }
    }

    /// The word that clients of all languages share for it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadInput(_) => ErrorKind::BadInput,
            Self::NoResponders { .. } => ErrorKind::NoResponders,
            Self::NoStream { .. } => ErrorKind::NoStream,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Service { .. } => ErrorKind::ServiceError,
            Self::Domain(_) => ErrorKind::Domain,
            Self::MaxPayload { .. } => ErrorKind::MaxPayload,
            Self::Permissions { .. } => ErrorKind::Permissions,
            Self::Connection { .. } => ErrorKind::Connection,
            Self::PublishRefused { .. }
            | Self::NotAcknowledged { .. }
            | Self::Unreadable { .. }
            | Self::Other { .. } => ErrorKind::Other,
        }
    }

    /// True where a restart of a service or the broker explains it, so that one may ask again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Service { code, .. } => *code >= 500,
            Self::NoResponders { .. } | Self::Timeout { .. } | Self::Connection { .. } => true,
            _ => false,
        }
    }
}

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
    read(&reply.payload).map_err(|e| ClientError::Other {
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
        Err(silence @ ClientError::Timeout { .. }) => {
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
        RequestErrorKind::NoResponders => ClientError::NoResponders { subject: subject.to_owned() },
        RequestErrorKind::TimedOut => ClientError::Timeout { operation: operation(), limit },
        RequestErrorKind::MaxPayloadExceeded => {
            ClientError::MaxPayload { bytes, limit: client.max_payload() }
        }
        RequestErrorKind::InvalidSubject => {
            ClientError::BadInput(format!("{subject:?} is not a subject"))
        }
        RequestErrorKind::Other => {
            ClientError::Connection { operation: operation(), evidence: e.to_string() }
        }
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
        return Err(ClientError::MaxPayload { bytes: largest, limit });
    }
    let published = async {
        for body in bodies {
            publish_one(caller, subject, None, body).await?;
        }
        barrier(caller, subject, limit).await
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
    let published = async {
        publish_one(caller, subject, headers, body).await?;
        barrier(caller, subject, limit).await
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
            ClientError::MaxPayload { bytes, limit: client.max_payload() }
        }
        PublishErrorKind::InvalidSubject => {
            ClientError::BadInput(format!("{subject:?} is not a subject"))
        }
        PublishErrorKind::Send => ClientError::Connection {
            operation: format!("publish to `{subject}`"),
            evidence: e.to_string(),
        },
    })
}

async fn barrier(caller: &Caller, subject: &str, limit: Duration) -> Result<(), ClientError> {
    let operation = format!("publish to `{subject}`");
    caller.barrier(limit).await.map_err(|e| match e {
        BarrierError::Late(limit) => ClientError::Timeout { operation, limit },
        BarrierError::Connection(evidence) => ClientError::Connection { operation, evidence },
    })
}

/// A refusal, with what was tried.
pub(crate) fn denied(operation: &str, Denied { words, definite }: Denied) -> ClientError {
    ClientError::Permissions { operation: operation.to_owned(), evidence: words, definite }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, ClientError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|e| ClientError::BadInput(format!("the request cannot be encoded: {e}")))
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
    let no_stream = || ClientError::NoStream { subject: subject.to_owned() };
    let reply = match ask(caller, subject, Some(headers), body, limit).await {
        Err(ClientError::NoResponders { .. }) => return Err(no_stream()),
        Err(ClientError::Timeout { limit, .. }) => {
            return Err(ClientError::Timeout { operation: operation(), limit });
        }
        Err(ClientError::Permissions { evidence, definite, .. }) => {
            let operation = operation();
            return Err(ClientError::Permissions { operation, evidence, definite });
        }
        other => other?,
    };
    let not_acknowledged = || ClientError::NotAcknowledged {
        subject: subject.to_owned(),
        answer: h::bounded(&String::from_utf8_lossy(&reply.payload), 100),
    };
    readable(subject, &reply)?;
    let ack: PublishReply = read(&reply.payload).map_err(|_| not_acknowledged())?;
    match (ack.error, ack.seq) {
        (Some(error), _) => Err(ClientError::PublishRefused {
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
