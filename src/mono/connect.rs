//! Connecting: one reconnect policy, one drain.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ServerAddr};
use tokio::sync::watch;

use super::address::{self, without_secrets};
use super::caller::{BarrierError, Caller};
use super::connect_error::{ConnectError, explain};
use super::connect_options::options;
use super::denials::{Denials, Denied};
use super::logins::Logins;
use super::observer::{End, Observer};
use super::target::{JetStreamApi, Target};

/// A connection that reports when it was reconnected and when it is closed.
#[derive(Debug, Clone)]
pub struct Connection {
    caller: Caller,
    jetstream: Context,
    reconnects: watch::Receiver<u64>,
    state: watch::Receiver<End>,
    missed: watch::Receiver<Option<&'static str>>,
}

impl From<&Connection> for Caller {
    fn from(connection: &Connection) -> Self {
        connection.caller().clone()
    }
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
        let logins = Logins::new(&servers, &target.auth).await.map_err(unusable)?;
        let servers: Vec<ServerAddr> = servers.into_iter().map(|server| server.addr).collect();
        let (reconnects_tx, reconnects) = watch::channel(0);
        let (state_tx, state) = watch::channel(End::Open);
        let (missed_tx, missed) = watch::channel(None);
        let denials = Denials::new();
        let observer =
            Observer::new(reconnects_tx, state_tx, missed_tx, denials.clone(), target.quiet);
        let observer = Arc::new(observer);
        // One server after the other, each with its own login, from anywhere in the list: clients
        // spread over a cluster.
        let start = std::hash::RandomState::new().build_hasher().finish() as usize;
        let mut worst: Option<ConnectError> = None;
        for n in 0..servers.len() {
            let number = start.wrapping_add(n) % servers.len();
            let (first, logins) = (servers[number].clone(), logins.beginning_with(number));
            let at = without_secrets(first.clone().into_inner().as_ref());
            let options = options(target, name, &logins, first).await.map_err(unusable)?;
            let observer = Arc::clone(&observer);
            // Boxed: it is the largest part of whatever connects.
            let connected = Box::pin(
                options
                    .event_callback(move |event| {
                        observer.observe(&event);
                        std::future::ready(())
                    })
                    .connect(servers.clone()),
            )
            .await;
            match connected {
                Ok(client) => {
                    let jetstream = jetstream(client.clone(), &target.jetstream);
                    let caller = Caller::new(client, denials, reconnects.clone());
                    return Ok(Self { caller, jetstream, reconnects, state, missed });
                }
                Err(error) => {
                    let url = if servers.len() == 1 { url.clone() } else { at };
                    let error = explain(url, &target.tls, &error);
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

    /// The same, with the refusals of the server.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The JetStream context.
    pub fn jetstream(&self) -> Context {
        self.jetstream.clone()
    }

    /// Changes each time a broken connection was made again.
    pub fn reconnected(&self) -> watch::Receiver<u64> {
        let mut receiver = self.reconnects.clone();
        receiver.mark_unchanged();
        receiver
    }

    /// The outcome of `operation`, or `None` as soon as the connection was made again: the reply to
    /// an earlier request cannot arrive any more, so waiting for its timeout gains nothing.
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
    /// A server waits for this beside its work, because subscriptions only end, or stay silent.
    pub async fn ended(&self) -> String {
        let mut state = self.state.clone();
        match state.wait_for(|state| *state != End::Open).await.as_deref() {
            Ok(End::GivenUp(why)) => why.clone(),
            Ok(_) => "it was closed".to_owned(),
            // The event callback was dropped: the task that called it is gone.
            Err(_) => "its task in the client library ended".to_owned(),
        }
    }

    /// Returns, with the reason, once something that was sent to this connection may not have reached
    /// it: the connection broke, or its subscriptions were read too slowly.
    ///
    /// Whoever writes down what it hears waits for this beside it.
    pub async fn missed(&self) -> &'static str {
        let mut missed = self.missed.clone();
        match missed.wait_for(Option::is_some).await.ok().and_then(|why| *why) {
            Some(why) => why,
            None => "its task in the client library ended",
        }
    }

    /// Drains and waits until the connection is closed, at most `limit`; `false` if it was not.
    pub async fn close(self, limit: Duration) -> bool {
        let mut state = self.state.clone();
        let closed = async {
            // Where so much waits for a broker that is away that nothing more is taken, this waits too.
            // It fails where the connection is closed already.
            if self.client().drain().await.is_ok() {
                // It returns before draining has ended; the closed event tells.
                let _ = state.wait_for(|state| *state == End::Closed).await;
            }
        };
        tokio::time::timeout(limit, closed).await.is_ok()
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
