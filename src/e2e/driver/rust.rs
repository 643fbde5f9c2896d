//! The Rust client, in process; typed calls go to the client that the caller brings.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::Subscriber;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::lock::lock;
use super::raw::{failed, outcome, to_value};
use crate::e2e::driver;
use crate::e2e::driver::{Driver, DriverFault, raw};
use crate::wire::subjects::check_subscription;
use crate::{
    mono::{Auth, Caller, ConnectError, Connection, Target},
    wire::driver::{DriverError, ErrorKind, Hello, OPERATIONS, Op, Outcome, PROTOCOL_VERSION},
};

/// How long a flush may take; a broker that restarts is away for less.
const FLUSH: Duration = Duration::from_secs(10);

/// The typed clients of the services, given by whoever knows them.
pub trait TypedCalls: Send + Sync {
    /// `<client>.<method>` with its arguments; `ok` is what it returned, as JSON.
    fn call(
        &self,
        caller: Caller,
        method: String,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        timeout: Duration,
    ) -> BoxFuture<'static, Outcome>;
}

/// A driver over async-nats.
pub struct RustDriver {
    typed: Arc<dyn TypedCalls>,
    connection: Mutex<Option<Connection>>,
    subscriptions: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Subscriber>>>>,
    next_subscription: AtomicU64,
    dies_after_publish: bool,
}

impl RustDriver {
    /// Not yet connected: `hello` does that.
    pub fn new(typed: Arc<dyn TypedCalls>) -> Self {
        Self {
            typed,
            connection: Mutex::new(None),
            subscriptions: Mutex::new(HashMap::new()),
            next_subscription: AtomicU64::new(1),
            dies_after_publish: false,
        }
    }

    /// The same, but `submit` ends in an abort of this process once the message is on its way.
    #[must_use]
    pub fn dying_after_publish(self) -> Self {
        Self { dies_after_publish: true, ..self }
    }

    async fn hello(
        &self,
        protocol: u32,
        url: String,
        login: Option<(String, String)>,
    ) -> Result<Value, DriverError> {
        if protocol != PROTOCOL_VERSION {
            let message = format!("this driver speaks protocol {PROTOCOL_VERSION}, not {protocol}");
            return Err(failed(ErrorKind::BadInput, true, &message));
        }
        let auth = login.map_or(Auth::None, |(user, password)| Auth::User(user, password));
        let target = Target { url, auth, quiet: true, ..Target::default() };
        let connection = Connection::open(&target, "mono-demo driver rust").await;
        let connection = connection.map_err(|error| {
            let kind = match error {
                ConnectError::Refused { .. } => ErrorKind::Permissions,
                _ => ErrorKind::Connection,
            };
            failed(kind, true, &error)
        })?;
        *lock(&self.connection) = Some(connection);
        Ok(to_value(&Hello {
            name: "rust".to_owned(),
            library: "async-nats 0.51".to_owned(),
            capabilities: OPERATIONS.iter().skip(1).map(|op| (*op).to_owned()).collect(),
        }))
    }

    async fn subscribe(
        &self,
        connection: &Connection,
        subject: String,
        queue_group: Option<String>,
    ) -> Result<Value, DriverError> {
        check_subscription(&subject, queue_group.as_deref())
            .map_err(|error| failed(ErrorKind::BadInput, true, &error))?;
        let client = connection.client();
        let subscribed = async {
            // As in the other languages, an empty one is none.
            let subscribed = match queue_group.filter(|group| !group.is_empty()) {
                Some(group) => client.queue_subscribe(subject.clone(), group).await,
                None => client.subscribe(subject.clone()).await,
            };
            let subscriber = subscribed.map_err(|e| failed(ErrorKind::BadInput, true, &e))?;
            raw::flush(connection, FLUSH).await?;
            Ok(subscriber)
        };
        let subscribed = connection.caller().subscribed(&subject, subscribed).await;
        let subscriber = subscribed.map_err(|denied| {
            let said = format!("subscribe to {subject}: {denied}");
            failed(ErrorKind::Permissions, denied.definite, &said)
        })??;
        let id = self.next_subscription.fetch_add(1, Ordering::Relaxed);
        lock(&self.subscriptions).insert(id, Arc::new(tokio::sync::Mutex::new(subscriber)));
        Ok(json!({ "subscription": id }))
    }

    async fn next(&self, id: u64, timeout: Duration) -> Result<Value, DriverError> {
        let subscriber = lock(&self.subscriptions).get(&id).cloned();
        let Some(subscriber) = subscriber else {
            return Err(unknown(id));
        };
        let mut subscriber = subscriber.lock().await;
        match tokio::time::timeout(timeout, subscriber.next()).await {
            Ok(Some(message)) => raw::wire_message(&message),
            Ok(None) => Err(failed(ErrorKind::Connection, true, &"the subscription has ended")),
            Err(_) => Err(failed(ErrorKind::Timeout, true, &"no message in time")),
        }
    }

    async fn unsubscribe(&self, id: u64) -> Result<Value, DriverError> {
        let subscriber = lock(&self.subscriptions).remove(&id);
        let Some(subscriber) = subscriber else {
            return Err(unknown(id));
        };
        let ended = subscriber.lock().await.unsubscribe().await;
        ended.map_err(|error| failed(ErrorKind::Connection, false, &error))?;
        Ok(json!({}))
    }

    async fn act(&self, op: Op) -> Outcome {
        if op.timeout_ms() == Some(0) {
            return Outcome::Err(failed(ErrorKind::BadInput, true, &"timeout_ms is not above 0"));
        }
        let op = match op {
            Op::Hello { protocol, url, user, password, .. } => {
                return outcome(self.hello(protocol, url, user.zip(password)).await);
            }
            other => other,
        };
        let connected = lock(&self.connection).clone();
        let Some(connection) = connected else {
            return Outcome::Err(failed(ErrorKind::BadInput, true, &"`hello` comes first"));
        };
        let ms = Duration::from_millis;
        outcome(match op {
            Op::Hello { .. } => return Outcome::Skip("handled above".to_owned()),
            Op::Call { method, args, kwargs, timeout_ms } => {
                let caller = connection.caller().clone();
                return self.typed.call(caller, method, args, kwargs, ms(timeout_ms)).await;
            }
            Op::Request { subject, payload_base64, headers, timeout_ms } => {
                raw::request(&connection, subject, &payload_base64, &headers, ms(timeout_ms)).await
            }
            Op::Publish { subject, payload_base64, headers } => {
                raw::publish(&connection, subject, &payload_base64, &headers, FLUSH).await
            }
            Op::Submit { subject, payload_base64, headers, .. } if self.dies_after_publish => {
                raw::publish_and_abort(&connection, subject, &payload_base64, &headers).await
            }
            Op::Submit { subject, payload_base64, headers, timeout_ms } => {
                raw::submit(&connection, subject, &payload_base64, &headers, ms(timeout_ms)).await
            }
            Op::Subscribe { subject, queue_group } => {
                self.subscribe(&connection, subject, queue_group).await
            }
            Op::Next { subscription, timeout_ms } => self.next(subscription, ms(timeout_ms)).await,
            Op::Unsubscribe { subscription } => self.unsubscribe(subscription).await,
        })
    }
}

impl Driver for RustDriver {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn perform(&self, op: Op) -> BoxFuture<'_, Result<Outcome, DriverFault>> {
        let (word, bound) = (driver::word(&op), driver::bound(&op));
        async move {
            tokio::time::timeout(bound, self.act(op)).await.map_err(|_| DriverFault::Hung {
                name: "rust".to_owned(),
                op: word,
                after: bound,
                tail: Vec::new(),
            })
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), DriverFault>> {
        async move {
            lock(&self.subscriptions).clear();
            let connection = lock(&self.connection).take();
            if let Some(connection) = connection {
                // The broker may be gone already: then there is nothing left to drain.
                connection.close(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        .boxed()
    }

    fn log_tail(&self) -> Vec<String> {
        Vec::new()
    }
}

fn unknown(subscription: u64) -> DriverError {
    let message = format!("there is no subscription {subscription}");
    failed(ErrorKind::BadInput, true, &message)
}
