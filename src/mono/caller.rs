//! A client that reports refusals of the server as errors; all operations use it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::denials::{About, Denials, Denied};

/// A client for core NATS, with the refusals of the server.
///
/// Made from a [`Connection`](super::Connection). One that is made from a bare [`Client`] works as well, and learns of
/// a refusal only as a timeout: whoever opened the connection has not told it to listen.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client,
    /// Below which the answers to this client come.
    inboxes: Arc<str>,
    denials: Denials,
    /// Changes with each new connection, where somebody tells.
    reconnects: Option<watch::Receiver<u64>>,
}

impl From<Client> for Caller {
    fn from(client: Client) -> Self {
        let inboxes = inbox_prefix(&client);
        Self { client, inboxes, denials: Denials::new(), reconnects: None }
    }
}

impl Caller {
    pub(super) fn new(client: Client, denials: Denials, reconnects: watch::Receiver<u64>) -> Self {
        let inboxes = inbox_prefix(&client);
        Self { client, inboxes, denials, reconnects: Some(reconnects) }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The outcome of `operation`, or the server's words as soon as it refuses one of the `subjects`
    /// that the operation publishes or subscribes to, or the inbox that its answer comes to.
    ///
    /// Of several operations on one subject at once, all are refused or none.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn unless_denied<T>(
        &self,
        subjects: &[&str],
        operation: impl IntoFuture<Output = T>,
    ) -> Result<T, Denied> {
        let inboxes = &self.inboxes;
        let about = About { subjects, subscribes: false, only_listens: false, inboxes };
        self.unless(about, operation).await
    }

    /// The same for an operation that subscribes to the subject. The server does not say which
    /// subscription was one too many, so of several at once all are reported as refused.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn subscribed<T>(
        &self,
        subject: &str,
        operation: impl IntoFuture<Output = T>,
    ) -> Result<T, Denied> {
        let (subjects, inboxes) = (&[subject], &self.inboxes);
        let about = About { subjects, subscribes: true, only_listens: false, inboxes };
        self.unless(about, operation).await
    }

    /// The same for one that waits for no answer, so that it needs no inbox.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn listening<T>(
        &self,
        subject: &str,
        operation: impl IntoFuture<Output = T>,
    ) -> Result<T, Denied> {
        let subjects = &[subject];
        let about = About { subjects, subscribes: true, only_listens: true, inboxes: "" };
        self.unless(about, operation).await
    }

    async fn unless<T>(
        &self,
        about: About<'_>,
        operation: impl IntoFuture<Output = T>,
    ) -> Result<T, Denied> {
        let mark = self.denials.count();
        let outcome = tokio::select! {
            biased;
            denied = self.denials.hear(mark, about) => return Err(denied),
            outcome = operation.into_future() => outcome,
        };
        // One that came at the same moment.
        self.denials.since(mark, about).map_or(Ok(outcome), Err)
    }

    /// Waits until the server refuses anything, or says at once what it has refused already.
    pub(super) async fn denied(&self) -> String {
        self.denials.any().await
    }

    /// The number of refusals so far.
    pub fn refusals(&self) -> u64 {
        self.denials.count()
    }

    /// Waits until the server, after so many refusals, refuses one of these subscriptions, or the
    /// inbox that answers come to. It does so also when somebody narrows what this user may.
    pub async fn refused_since(&self, mark: u64, subscriptions: &[&str]) -> Denied {
        let (subjects, inboxes) = (subscriptions, &self.inboxes);
        let about = About { subjects, subscribes: false, only_listens: true, inboxes };
        self.denials.hear(mark, about).await
    }

    /// Returns when the broker has processed everything sent on this connection before: after it, a
    /// message published from anywhere finds this connection's subscriptions, and what the broker
    /// refused is known.
    ///
    /// `Client::flush` only writes to the socket; the broker may not have read it yet. It handles a
    /// connection's lines in order, so a message to ourselves comes back after all of them. A user
    /// that may not send itself one, or subscribe any more, is told so in the same order.
    ///
    /// # Errors
    /// What could not be sent, or that it did not come back within `limit`.
    pub async fn barrier(&self, limit: Duration) -> Result<(), BarrierError> {
        let failed = |e: &dyn std::fmt::Display| BarrierError::Connection(e.to_string());
        let subject = self.own_subject(&nuid::next());
        let mark = self.denials.count();
        let about =
            About { subjects: &[&subject], subscribes: true, only_listens: false, inboxes: "" };
        // Where so much waits for a broker that is away that nothing more is taken, sending waits too.
        let echoed = async {
            let echo = self.client.subscribe(subject.clone()).await;
            let mut echo = echo.map_err(|e| failed(&e))?;
            self.client.publish(subject.clone(), Bytes::new()).await.map_err(|e| failed(&e))?;
            tokio::select! {
                biased;
                message = echo.next() => message.map(drop).ok_or_else(|| failed(&"the connection closed")),
                _ = self.denials.hear(mark, about) => Ok(()),
            }
        };
        tokio::time::timeout(limit, echoed).await.map_err(|_| BarrierError::Late(limit))??;
        // What the server said before the echo is on its way through another task, which was woken
        // before this one.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// To be called before sending: [`taken`](Self::taken) then tells whether the broker has all that was
    /// sent since, on one connection.
    pub fn sending(&self) -> Sending {
        // The library counts a connection before it says that it is there.
        let connections = self.connections();
        // What is sent while there is no connection waits for the next one.
        let waits = self.client.connection_state() != State::Connected;
        let reconnects = self.reconnects.clone().map(|mut reconnects| {
            reconnects.mark_unchanged();
            reconnects
        });
        Sending { connection: connections + u64::from(waits), reconnects }
    }

    /// Returns when the broker has processed all that was sent since `sending`: on one connection, for
    /// one that is made anew says nothing of what the one before it has carried.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier), or that the connection was lost.
    pub async fn taken(&self, sending: Sending, limit: Duration) -> Result<(), BarrierError> {
        let Sending { connection, mut reconnects } = sending;
        let lost = async {
            if let Some(reconnects) = &mut reconnects {
                while reconnects.changed().await.is_ok() {
                    if self.connections() > connection {
                        return;
                    }
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = lost => {}
            passed = self.barrier(limit) => passed?,
        }
        match self.connections() > connection {
            true => Err(BarrierError::Connection(LOST.to_owned())),
            false => Ok(()),
        }
    }

    /// A subject on which all connections of this user may send to each other, and nobody else of another role.
    pub(crate) fn own_subject(&self, name: &str) -> String {
        format!("{}.barrier.{name}", self.inboxes)
    }

    fn connections(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }
}

/// The library does not tell it, but by an inbox; to make one for each operation costs more than the rest
/// of asking whether it was refused.
fn inbox_prefix(client: &Client) -> Arc<str> {
    let inbox = client.new_inbox();
    inbox.rsplit_once('.').map_or("", |(prefix, _)| prefix).into()
}

/// What was sent before the connection was made anew may never have been read.
const LOST: &str = "the connection was lost before the broker said that it has what was sent on it; it \
                    may have happened";

/// Since when messages are sent, and on which connection.
#[derive(Debug)]
pub struct Sending {
    /// The number of the connection, from 1.
    connection: u64,
    reconnects: Option<watch::Receiver<u64>>,
}

/// Why it is not known that the broker has processed what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BarrierError {
    /// It did not come back in time.
    #[error("the broker did not process what was sent within {0:?}")]
    Late(Duration),
    /// Nothing could be sent, or the connection closed.
    #[error("{0}")]
    Connection(String),
}
