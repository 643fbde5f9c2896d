//! Connecting: one reconnect policy, one drain.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use super::address::{self, without_secrets};
use super::caller::{BarrierError, Caller};
use super::denials::{Denials, Denied};
use super::logins::Logins;
use super::outage::{Advice, Outage};

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
    /// Whether nothing of it is logged: for a connection that is broken on purpose.
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
    /// The handshake comes before the server says anything (`handshake_first` of nats-server).
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
    /// Behind a prefix of one's own, as an account import makes it.
    Prefix(String),
}

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

/// A connection that knows when it was made anew and when it is closed.
#[derive(Debug, Clone)]
pub struct Connection {
    caller: Caller,
    jetstream: Context,
    reconnects: watch::Receiver<u64>,
    state: watch::Receiver<End>,
}

/// How a connection ended, if it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// In an orderly drain.
    Closed,
    /// For good, and nobody here asked for it.
    GivenUp(String),
}

/// What the client library's events change.
struct Observer {
    reconnects: watch::Sender<u64>,
    state: watch::Sender<End>,
    denials: Denials,
    outage: Mutex<Outage>,
    quiet: bool,
}

impl Connection {
    /// Connects under `name`, which the server's monitoring shows.
    ///
    /// The first attempt is made at once and must succeed; a connection that breaks later is
    /// tried again for as long as the process lives, after 0, 20, 40 ms … at most 500 ms.
    ///
    /// # Errors
    /// [`ConnectError`] tells refused credentials from an unreachable server.
    pub async fn open(target: &Target, name: &str) -> Result<Self, ConnectError> {
        let url = without_secrets(&target.url);
        let unusable = |evidence: String| ConnectError::Unusable { url: url.clone(), evidence };
        let servers = address::servers(&target.url).map_err(unusable)?;
        let logins = Logins::new(&servers, &target.auth).map_err(unusable)?;
        let servers: Vec<ServerAddr> = servers.into_iter().map(|server| server.addr).collect();
        let (reconnects_tx, reconnects) = watch::channel(0);
        let (state_tx, state) = watch::channel(End::Open);
        let denials = Denials::new();
        let observer = Arc::new(Observer {
            reconnects: reconnects_tx,
            state: state_tx,
            denials: denials.clone(),
            outage: Mutex::default(),
            quiet: target.quiet,
        });
        // One server after the other, each with its own login, from anywhere in the list: clients
        // spread over a cluster.
        let start = std::hash::RandomState::new().build_hasher().finish() as usize;
        let mut worst: Option<ConnectError> = None;
        for n in 0..servers.len() {
            let first = servers[start.wrapping_add(n) % servers.len()].clone();
            let at = without_secrets(first.clone().into_inner().as_ref());
            let options = options(target, name, &logins, first).await.map_err(unusable)?;
            let observer = Arc::clone(&observer);
            let connected = options
                .event_callback(move |event| {
                    observer.observe(&event);
                    std::future::ready(())
                })
                .connect(servers.clone())
                .await;
            match connected {
                Ok(client) => {
                    let jetstream = jetstream(client.clone(), &target.jetstream);
                    let caller = Caller::new(client, denials);
                    return Ok(Self { caller, jetstream, reconnects, state });
                }
                Err(error) => {
                    let url = if servers.len() == 1 { url.clone() } else { at };
                    let error = explain(url, &error);
                    // A server that answered says more than one that is away.
                    let says_more = !matches!(error, ConnectError::Unreachable { .. });
                    if worst.is_none() || says_more {
                        worst = Some(error);
                    }
                }
            }
        }
        Err(worst.unwrap_or_else(|| unusable("no server is named".to_owned())))
    }

    /// The client for core NATS.
    pub fn client(&self) -> &Client {
        self.caller.client()
    }

    /// The same, with what the server has refused it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The JetStream context.
    pub fn jetstream(&self) -> Context {
        self.jetstream.clone()
    }

    /// Changes each time a broken connection was made anew.
    pub fn reconnected(&self) -> watch::Receiver<u64> {
        let mut receiver = self.reconnects.clone();
        receiver.mark_unchanged();
        receiver
    }

    /// The outcome of `operation`, or `None` as soon as the connection was made anew: an answer to
    /// what was asked before does not come any more, and waiting out its timeout gains nothing.
    pub async fn unless_reconnected<T>(&self, operation: impl IntoFuture<Output = T>) -> Option<T> {
        let mut reconnected = self.reconnected();
        tokio::select! {
            biased;
            outcome = operation.into_future() => Some(outcome),
            Ok(()) = reconnected.changed() => None,
        }
    }

    /// Returns the server's words when it refuses anything on this connection, or has already: such
    /// a refusal arrives as a connection event only, and the operation itself would just time out.
    pub async fn denied(&self) -> String {
        self.caller.denied().await
    }

    /// As [`Caller::unless_denied`].
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn unless_denied<T>(
        &self,
        subjects: &[&str],
        operation: impl IntoFuture<Output = T>,
    ) -> Result<T, Denied> {
        self.caller.unless_denied(subjects, operation).await
    }

    /// As [`Caller::barrier`].
    ///
    /// # Errors
    /// What could not be sent, or that it was not processed within `limit`.
    pub async fn barrier(&self, limit: Duration) -> Result<(), BarrierError> {
        self.caller.barrier(limit).await
    }

    /// Returns, with the reason, when nothing goes over this connection any more, for good: its task
    /// in the client library has ended, or the server has refused the credentials for 10 s. A
    /// connection that broke is none of these; it is made anew.
    ///
    /// Whoever serves waits for it beside its work: subscriptions just end, or just stay silent.
    pub async fn ended(&self) -> String {
        let mut state = self.state.clone();
        match state.wait_for(|state| *state != End::Open).await.as_deref() {
            Ok(End::GivenUp(why)) => why.clone(),
            Ok(_) => "it was closed".to_owned(),
            // The event callback was dropped: the task that called it is gone.
            Err(_) => "its task in the client library ended".to_owned(),
        }
    }

    /// Drains and waits until the connection is closed, at most `limit`; `false` if it was not.
    pub async fn close(self, limit: Duration) -> bool {
        let mut state = self.state.clone();
        if self.client().drain().await.is_err() {
            return true; // it is closed already
        }
        // `drain()` returns before draining has ended; the closed event tells.
        tokio::time::timeout(limit, state.wait_for(|state| *state == End::Closed)).await.is_ok()
    }
}

fn explain(url: String, error: &async_nats::ConnectError) -> ConnectError {
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

fn jetstream(client: Client, api: &JetStreamApi) -> Context {
    let limit = Duration::from_secs(5);
    let builder = ContextBuilder::new().timeout(limit).ack_timeout(limit);
    match api {
        JetStreamApi::Here => builder.build(client),
        JetStreamApi::Domain(domain) => builder.domain(domain).build(client),
        JetStreamApi::Prefix(prefix) => builder.api_prefix(prefix).build(client),
    }
}

async fn options(
    target: &Target,
    name: &str,
    logins: &Logins,
    first: ServerAddr,
) -> Result<ConnectOptions, String> {
    let mut options = logins
        .options(&target.auth, first)
        .await?
        .name(name)
        // The default of 65,536 silently drops messages of a burst.
        .subscription_capacity(1_048_576)
        .connection_timeout(Duration::from_secs(5))
        // Where nothing arrives any more and nobody says so, only a ping without an answer tells:
        // noticed within 15 s. The default of a minute would make it three.
        .ping_interval(Duration::from_secs(5));
    if let Some(prefix) = &target.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(ca) = &target.tls.ca {
        pem("the root certificate", ca, "CERTIFICATE-----").await?;
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let Some((cert, key)) = &target.tls.client {
        pem("the client's certificate", cert, "CERTIFICATE-----").await?;
        pem("the client's key", key, "PRIVATE KEY-----").await?;
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    if target.tls.first {
        options = options.tls_first();
    }
    Ok(options)
}

/// A file with nothing of use in it would only be told as a handshake that fails.
async fn pem(what: &str, path: &Path, holds: &str) -> Result<(), String> {
    let text =
        tokio::fs::read(path).await.map_err(|e| format!("{what} {}: {e}", path.display()))?;
    match String::from_utf8_lossy(&text).contains(holds) {
        true => Ok(()),
        false => Err(format!("{what} {}: no PEM of one is in this file", path.display())),
    }
}

impl Observer {
    fn observe(&self, event: &Event) {
        if !self.quiet {
            log(event);
        }
        match event {
            Event::Connected => {
                self.denials.begin_anew();
                self.outage().over();
                self.reconnects.send_modify(|n| *n += 1);
            }
            Event::Closed => {
                self.state.send_replace(End::Closed);
            }
            Event::Disconnected => self.outage().lost(Instant::now()),
            Event::ServerError(error) => self.denials.note(&error.to_string()),
            Event::ClientError(error) => self.attempt_failed(&error.to_string()),
            _ => {}
        }
    }

    fn attempt_failed(&self, words: &str) {
        let advice = self.outage().failed(Instant::now(), words);
        match advice {
            Advice::Quiet => {}
            Advice::Say(lasted) if !self.quiet => {
                let lasted = Duration::from_secs(lasted.as_secs());
                tracing::warn!(
                    error = words,
                    "still no connection to the broker, after {lasted:?}"
                );
            }
            Advice::Say(_) => {}
            Advice::GiveUp => {
                let why = format!("the broker has refused the credentials for 10 s ({words})");
                self.state.send_replace(End::GivenUp(why));
            }
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(event: &Event) {
    match event {
        Event::Connected | Event::Closed => {}
        Event::SlowConsumer(sid) => {
            tracing::error!(
                subscription = sid,
                "slow consumer: the client dropped messages of this subscription"
            );
        }
        Event::Disconnected => tracing::warn!("disconnected from the broker; reconnecting"),
        Event::ServerError(error) => tracing::warn!(%error, "the broker reports"),
        other => tracing::debug!(event = %other, "connection"),
    }
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
