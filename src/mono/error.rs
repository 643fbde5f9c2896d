//! What can go wrong in a handler, as types that the framework turns into replies.

use crate::wire::headers::{ServiceErrorCode, one_line};

/// A request-reply or queue-group handler's failure; domain errors are ordinary replies instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    /// What the requester is told to do about it: see CONTRACT.md, "Errors".
    pub code: ServiceErrorCode,
    /// One bounded line.
    pub message: String,
}

impl ServiceError {
    fn new(code: ServiceErrorCode, message: impl AsRef<str>) -> Self {
        Self { code, message: one_line(message.as_ref()) }
    }

    /// 400: the request cannot be handled as it is; asking again changes nothing.
    pub fn bad_request(message: impl AsRef<str>) -> Self {
        Self::new(ServiceErrorCode::BadRequest, message)
    }

    /// 500: the handler failed.
    pub fn internal(message: impl AsRef<str>) -> Self {
        Self::new(ServiceErrorCode::Internal, message)
    }

    /// 503: overloaded or draining; another instance may answer.
    pub fn unavailable(message: impl AsRef<str>) -> Self {
        Self::new(ServiceErrorCode::Unavailable, message)
    }
}

/// A stream handler's failure: what happens to the message next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The message's own: deliver it again after the backoff, until it has failed too often.
    #[error("{0}")]
    Retry(String),
    /// Not the message's fault (the broker or a journal is away): deliver it again, uncounted.
    #[error("{0}")]
    Later(String),
    /// Final: it becomes a dead letter now.
    #[error("{1}")]
    Dead(super::DeadKind, String),
}

/// Why a module could not start, in its own words.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {evidence}")]
pub struct ModuleError {
    /// What was tried, as ``create stream `payment-ledger` ``.
    pub operation: String,
    /// What came back.
    pub evidence: String,
    /// JetStream's code of it, as in nats-server's `errors.json`, where it refused.
    pub code: Option<u64>,
    /// What to do about it, where there is something to do.
    pub hint: Option<String>,
}

impl ModuleError {
    /// An error that names the operation and the evidence.
    pub fn new(operation: impl Into<String>, evidence: impl std::fmt::Display) -> Self {
        Self { operation: operation.into(), evidence: evidence.to_string(), code: None, hint: None }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
