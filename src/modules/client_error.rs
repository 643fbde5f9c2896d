//! Why a typed client's call failed.

use std::time::Duration;

use crate::wire::driver::ErrorKind;

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
