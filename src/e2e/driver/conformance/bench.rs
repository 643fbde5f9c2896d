//! The other side of every check: a broker, a connection of our own, and a stream.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, HeaderMap, Message, Subscriber};
use futures_util::StreamExt as _;

use super::talk::{Complaint, SOON};
use crate::broker::{Broker, Credentials, Permissions, Role, Roles, StartError};

/// Small, so that what is too large is not much.
pub const MAX_PAYLOAD: usize = 65_536;
/// The subject of the stream.
pub const STORED: &str = "check.stored";
/// Its name.
pub const STREAM: &str = "CHECK";
/// Nobody listens on it.
pub const NOBODY: &str = "check.nobody";
/// What the driver's user may not do begins with it.
pub const FORBIDDEN: &str = "forbidden";

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] StartError),
    /// There is no driver to check.
    #[error("{0}")]
    Driver(String),
    /// Our own connection or stream could not be made.
    #[error("cannot prepare the checks: {0}")]
    Bench(String),
}

/// What the driver's user may do.
pub fn roles() -> Roles {
    let owned = |subjects: &[&str]| subjects.iter().map(|&s| s.to_owned()).collect();
    let client = Permissions {
        publish: owned(&["check.>", "_INBOX.>"]),
        subscribe: owned(&["check.>", "_INBOX.>"]),
    };
    // One account: the driver's subjects are the bench's.
    Roles { client, shared: None, ..Roles::default() }
}

pub struct Bench {
    broker: Broker,
    client: Client,
    subjects: u32,
}

impl Bench {
    pub async fn new(broker: Broker) -> Result<Self, CheckError> {
        let failed = |error: &dyn std::fmt::Display| CheckError::Bench(error.to_string());
        let Credentials { user, password } = login(&broker, Role::Harness);
        let client = async_nats::ConnectOptions::with_user_and_password(user, password)
            .name("mono-demo driver check")
            .custom_inbox_prefix(Role::Harness.inbox_prefix())
            .reconnect_delay_callback(|_| Duration::from_millis(20))
            .connect(broker.url())
            .await
            .map_err(|error| failed(&error))?;
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![STORED.to_owned()],
            ..stream::Config::default()
        };
        let context = jetstream::new(client.clone());
        context.create_stream(config).await.map_err(|error| failed(&error))?;
        Ok(Self { broker, client, subjects: 0 })
    }

    /// What the driver is to show.
    pub fn login(&self) -> Credentials {
        login(&self.broker, Role::Client)
    }

    pub fn url(&self) -> &str {
        self.broker.url()
    }

    /// A subject that no check had before.
    pub fn subject(&mut self) -> String {
        self.subjects += 1;
        format!("check.{}", self.subjects)
    }

    /// Our own subscription; there when this returns.
    pub async fn subscribe(&self, subject: &str) -> Result<Subscriber, Complaint> {
        let subscribed = self.client.subscribe(subject.to_owned()).await.map_err(ours)?;
        self.fence().await?;
        Ok(subscribed)
    }

    /// Publishes; the broker has it when this returns.
    pub async fn publish(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: &[u8],
    ) -> Result<(), Complaint> {
        let payload = payload.to_vec().into();
        let subject = subject.to_owned();
        self.client.publish_with_headers(subject, headers, payload).await.map_err(ours)?;
        self.fence().await
    }

    /// What the broker has sent us before is here, and what we sent is there: "no responders" is
    /// answered in order.
    pub async fn fence(&self) -> Result<(), Complaint> {
        let asked = self.client.request(NOBODY, "".into());
        match tokio::time::timeout(SOON, asked).await {
            Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => Ok(()),
            other => Err(ours(format!("{other:?}"))),
        }
    }

    /// The next message, which the driver sends.
    pub async fn next(&self, subscriber: &mut Subscriber) -> Result<Message, Complaint> {
        let next = tokio::time::timeout(SOON, subscriber.next()).await;
        next.ok().flatten().ok_or_else(|| format!("it sent no message within {SOON:?}"))
    }

    /// The next message that is here already.
    pub async fn here(&self, subscriber: &mut Subscriber) -> Result<Option<Message>, Complaint> {
        self.fence().await?;
        // It is in the channel, or it never will be; the channel is polled once.
        Ok(tokio::time::timeout(Duration::ZERO, subscriber.next()).await.ok().flatten())
    }

    /// SIGKILL, and the same again on the same port.
    pub async fn kill_and_restart(&mut self) -> Result<(), Complaint> {
        self.broker.kill_and_restart().await.map_err(ours)
    }

    pub async fn close(self) {
        // Nothing of it is needed any more; dropping ends it too.
        let _ = self.broker.stop().await;
    }
}

fn login(broker: &Broker, role: Role) -> Credentials {
    // It was started with roles.
    let nobody = || Credentials { user: String::new(), password: String::new() };
    broker.credentials(role).cloned().unwrap_or_else(nobody)
}

/// A fault on our side, which must not look like one of the driver's.
fn ours(error: impl std::fmt::Display) -> Complaint {
    format!("(a fault of the check itself, not of the driver) {error}")
}
