//! Where to connect, as whom, and how.

use std::path::PathBuf;

use super::address::without_secrets;

/// Where to connect and as whom.
#[derive(Clone, Default)]
pub struct Target {
    /// One or more servers, comma separated: `nats://127.0.0.1:4222`.
    pub url: String,
    /// As whom; a user or token in a server's URL comes before it, for that server.
    pub auth: Auth,
    /// Certificates, if any.
    pub tls: Tls,
    /// Where JetStream's API is, if not at `$JS.API`.
    pub jetstream: JetStreamApi,
    /// Replies come on `<prefix>.…`; default `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// Whether its events are not logged: for a connection that is broken on purpose.
    pub quiet: bool,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({}, {:?}, …)", without_secrets(&self.url), self.auth)
    }
}

/// Credentials. Their `Debug` shows no secret.
#[derive(Clone, Default)]
pub enum Auth {
    /// None, or what the URL carries.
    #[default]
    None,
    /// User name and password.
    User(String, String),
    /// A token.
    Token(String),
    /// A `.creds` file.
    Creds(PathBuf),
    /// What would be in a `.creds` file: a user's JWT and the seed that proves it.
    Jwt(String),
    /// A user's JWT that needs no proof: a bearer token.
    Bearer(String),
    /// An nkey seed.
    Nkey(String),
}

impl Auth {
    /// Whether nothing is shown, but what the URL carries.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::User(..) => "User(…)",
            Self::Token(_) => "Token(…)",
            Self::Creds(_) => "Creds(…)",
            Self::Jwt(_) => "Jwt(…)",
            Self::Bearer(_) => "Bearer(…)",
            Self::Nkey(_) => "Nkey(…)",
        })
    }
}

/// TLS material by path, as natscli's `--tlsca`, `--tlscert` and `--tlskey`.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Additional root certificates.
    pub ca: Option<PathBuf>,
    /// The client's certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The handshake comes before the server sends anything (`handshake_first` of nats-server).
    pub first: bool,
}

/// Where JetStream's API is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum JetStreamApi {
    /// At `$JS.API`.
    #[default]
    Here,
    /// In a domain.
    Domain(String),
    /// Behind a custom prefix, as an account import makes it.
    Prefix(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let auth = Auth::User("u".into(), "secret".into());
        assert!(!format!("{auth:?}").contains("secret"));
    }
}
