//! Why there is no connection, and what to do about it.

use async_nats::ConnectErrorKind;

use super::said_once::said_once;
use super::target::Tls;

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
    #[error("{}: {evidence}", connect_to(url))]
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
    /// The server, or the account, has as many connections as it may.
    #[error("connect to {url}: the server takes no more connections ({evidence})")]
    Full {
        /// Where to, without secrets.
        url: String,
        /// The server's words.
        evidence: String,
    },
    /// Nobody answered.
    #[error("connect to {url}: no NATS server answered ({evidence})")]
    Unreachable {
        /// Where to, without secrets.
        url: String,
        /// The last error.
        evidence: String,
        /// What to do about it, where something else answered than was asked for.
        remedy: Option<&'static str>,
    },
}

impl ConnectError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tls { remedy, .. } => Some(remedy.clone()),
            Self::Unreachable { remedy, .. } => remedy.map(str::to_owned),
            Self::Refused { .. } => Some(
                "show a login that it knows: --context, --creds, --nkey, --token, or NATS_USER and \
                 NATS_PASSWORD"
                    .to_owned(),
            ),
            Self::Full { .. } => Some(
                "raise the limit that it names (`max_connections` of the server, `conn` of an account), or \
                 end other programs; `nats server report connections` lists them"
                    .to_owned(),
            ),
            Self::Unusable { .. } => None,
        }
    }
}

/// Of what cannot be a host nothing is shown.
fn connect_to(url: &str) -> String {
    if url == "…" { "connect".to_owned() } else { format!("connect to {url}") }
}

/// What the client library said, told apart.
pub(super) fn explain(url: String, tls: &Tls, error: &async_nats::ConnectError) -> ConnectError {
    if let Some(crate::tls::Trouble { cause, remedy }) = crate::tls::trouble(error) {
        return ConnectError::Tls { url, cause, remedy };
    }
    let evidence = said_once(error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            ConnectError::Refused { url, evidence }
        }
        ConnectErrorKind::Tls => {
            ConnectError::Unusable { url, evidence: of_the_files(tls, evidence) }
        }
        ConnectErrorKind::ServerParse => ConnectError::Unusable { url, evidence },
        _ if evidence.contains("connections exceeded") => ConnectError::Full { url, evidence },
        _ => {
            let remedy = remedy(&url, &evidence);
            ConnectError::Unreachable { url, evidence, remedy }
        }
    }
}

/// The client library does not name the files that it could not use together.
fn of_the_files(tls: &Tls, evidence: String) -> String {
    match &tls.client {
        Some((cert, key)) if evidence.contains("could not add certificate or key") => format!(
            "the key {} is not that of the client's certificate {}",
            key.display(),
            cert.display()
        ),
        _ => evidence,
    }
}

/// What to do where something answers, and not as the URL says.
fn remedy(url: &str, evidence: &str) -> Option<&'static str> {
    let says = |words: &str| evidence.contains(words);
    let websocket = url.starts_with("ws://") || url.starts_with("wss://");
    if websocket && (says("HTTP") || says("Switching Protocols")) {
        return Some(
            "what answers there is not such a websocket: use wss:// where it speaks TLS, and nats:// \
             for a port that is none",
        );
    }
    if !websocket && (says("expected INFO") || says("timed out")) {
        return Some(
            "it took the connection and said nothing, or nothing more: is it paused, or is what should \
             speak TLS with it? Where TLS comes first \
             (`handshake_first`), give --tlsfirst, or `tls_first` in a context; a port for websockets \
             wants ws:// or wss://",
        );
    }
    None
}
