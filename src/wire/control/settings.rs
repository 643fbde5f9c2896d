//! What is wanted of a broker, and when a program is ready.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is wanted of a broker; all may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BrokerSettings {
    /// Whether there is JetStream; true if left out.
    pub jetstream: bool,
    /// Where it listens; a free port if left out or 0. The nodes of a cluster count on from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The user that clients must show, with `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The token that clients must show instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// With it, clients must speak TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Whether accounts can be added while it runs, by `account.create`.
    pub accounts: bool,
    /// More lines for the config file, in nats-server's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The largest message, bytes; 1 MiB if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_payload: Option<usize>,
    /// A folder that keeps its messages, made if missing; a temporary one if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// A store folder that it begins with a copy of, as `keep` or `serve --store` leaves one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_from: Option<PathBuf>,
    /// How long it may take to be ready, milliseconds; 10,000 if left out.
    pub ready_within_ms: u64,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            jetstream: true,
            port: None,
            user: None,
            password: None,
            token: None,
            tls: None,
            accounts: false,
            config: None,
            max_payload: None,
            store: None,
            store_from: None,
            ready_within_ms: ten_seconds(),
        }
    }
}

/// Certificates, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate, good for 127.0.0.1.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed it; left out where the system trusts it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// How a program is seen to be ready: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// It prints a line with this text.
    Line(String),
    /// It accepts connections on this port of 127.0.0.1.
    Port(u16),
    /// A GET of this `http://` URL is answered with a status from 200 to 299.
    Http(String),
    /// It answers a request on this subject.
    Subject(String),
    /// A service of this name answers `$SRV.PING`.
    Service(String),
}

pub(super) fn ten_seconds() -> u64 {
    10_000
}
