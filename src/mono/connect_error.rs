//! Why there is no connection, and what to do about it.

use async_nats::ConnectErrorKind;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server answered and refused the credentials.
    #[error("connect to {url}: the server refused the credentials ({evidence})")]
    Refused {
        /// Where to, without secrets.
        url: String,
        /// The server's words.
        evidence: String,
    },
    /// The URL, a creds file or a certificate cannot be used.
    #[error("connect to {url}: {evidence}")]
    Unusable {
        /// Where to, without secrets.
        url: String,
        /// What is wrong.
        evidence: String,
    },
    /// The two ends could not agree on TLS.
    #[error("connect to {url}: {cause}")]
    Tls {
        /// Where to, without secrets.
        url: String,
        /// Why.
        cause: String,
        /// What to do about it.
        remedy: String,
    },
    /// Nobody answered.
    #[error("connect to {url}: no NATS server answered ({evidence})")]
    Unreachable {
        /// Where to, without secrets.
        url: String,
        /// The last error.
        evidence: String,
    },
}

impl ConnectError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tls { remedy, .. } => Some(remedy.clone()),
            _ => None,
        }
    }
}

/// What the client library said, told apart.
pub(super) fn explain(url: String, error: &async_nats::ConnectError) -> ConnectError {
    if let Some(crate::tls::Trouble { cause, remedy }) = crate::tls::trouble(error) {
        return ConnectError::Tls { url, cause, remedy };
    }
    let evidence = error.to_string();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ConnectError::Refused { url, evidence }
        }
        ConnectErrorKind::ServerParse | ConnectErrorKind::Tls => {
            ConnectError::Unusable { url, evidence }
        }
        _ => ConnectError::Unreachable { url, evidence },
    }
}
