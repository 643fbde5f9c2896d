//! The Rust client, in process; typed calls go to the client that the caller brings.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::{
    Driver, DriverFault,
    raw::{self, failed, outcome, to_value},
};
use crate::wire::driver::{
    DriverError, ErrorKind, Hello, OPERATIONS, Op, Outcome, PROTOCOL_VERSION,
};

/// How long a flush may take; a broker that restarts is away for less.
const FLUSH: Duration = Duration::from_secs(10);

/// The typed clients of the services, given by whoever knows them.
pub trait TypedCalls: Send + Sync {
    /// `<client>.<method>` with its arguments; `ok` is what it returned, as JSON.
    fn call(
        &self,
        client: Client,
        method: String,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
        timeout: Duration,
    ) -> BoxFuture<'static, Outcome>;
}

/// A driver over async-nats.
pub struct RustDriver {
    typed: Arc<dyn TypedCalls>,
    client: Mutex<Option<Client>>,
    subscriptions: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Subscriber>>>>,
    next_subscription: AtomicU64,
    dies_after_publish: bool,
}

impl RustDriver {
    /// Not yet connected: `hello` does that.
    pub fn new(typed: Arc<dyn TypedCalls>) -> Self {
        Self {
            typed,
            client: Mutex::new(None),
            subscriptions: Mutex::new(HashMap::new()),
            next_subscription: AtomicU64::new(1),
            dies_after_publish: false,
        }
    }

    /// The same, but `submit` ends in an abort of this process once the message is on its way:
    /// step A of PAYMENTS.md, for proofs.
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
        let mut options = ConnectOptions::new()
            .name("mono-demo driver rust")
            .subscription_capacity(1_048_576)
            // The first attempt at once; then often enough that a restart is not what is measured.
            .reconnect_delay_callback(|attempt| {
                Duration::from_millis(if attempt < 2 { 0 } else { 20 })
            });
        if let Some((user, password)) = login {
            options = options.user_and_password(user, password);
        }
        let client = options.connect(url).await.map_err(|error| {
            use async_nats::ConnectErrorKind as Kind;
            let kind = match error.kind() {
                Kind::Authentication | Kind::AuthorizationViolation => ErrorKind::Permissions,
                _ => ErrorKind::Connection,
            };
            failed(kind, true, &error)
        })?;
        *lock(&self.client) = Some(client);
        Ok(to_value(&Hello {
            name: "rust".to_owned(),
            library: "async-nats 0.51".to_owned(),
            capabilities: OPERATIONS.iter().skip(1).map(|op| (*op).to_owned()).collect(),
        }))
    }

    async fn subscribe(
        &self,
        client: &Client,
        subject: String,
        queue_group: Option<String>,
    ) -> Result<Value, DriverError> {
        let subscribed = match queue_group {
            Some(group) => client.queue_subscribe(subject, group).await,
            None => client.subscribe(subject).await,
        };
        let subscriber = subscribed.map_err(|error| failed(ErrorKind::BadInput, true, &error))?;
        raw::flush(client, FLUSH).await?;
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
            Ok(Some(message)) => Ok(to_value(&raw::wire_message(&message))),
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
        let op = match op {
            Op::Hello { protocol, url, user, password, .. } => {
                return outcome(self.hello(protocol, url, user.zip(password)).await);
            }
            other => other,
        };
        let connected = lock(&self.client).clone();
        let Some(client) = connected else {
            return Outcome::Err(failed(ErrorKind::BadInput, true, &"`hello` comes first"));
        };
        let ms = Duration::from_millis;
        outcome(match op {
            Op::Hello { .. } => return Outcome::Skip("handled above".to_owned()),
            Op::Call { method, args, kwargs, timeout_ms } => {
                return self.typed.call(client, method, args, kwargs, ms(timeout_ms)).await;
            }
            Op::Request { subject, payload_base64, headers, timeout_ms } => {
                raw::request(&client, subject, &payload_base64, &headers, ms(timeout_ms)).await
            }
            Op::Publish { subject, payload_base64, headers } => {
                raw::publish(&client, subject, &payload_base64, &headers, FLUSH).await
            }
            Op::Submit { subject, payload_base64, headers, .. } if self.dies_after_publish => {
                raw::publish_and_abort(&client, subject, &payload_base64, &headers).await
            }
            Op::Submit { subject, payload_base64, headers, timeout_ms } => {
                raw::submit(&client, subject, &payload_base64, &headers, ms(timeout_ms)).await
            }
            Op::Subscribe { subject, queue_group } => {
                self.subscribe(&client, subject, queue_group).await
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
        let (word, bound) = (super::word(&op), super::bound(&op));
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
            let client = lock(&self.client).take();
            if let Some(client) = client {
                // The broker may be gone already: then there is nothing left to drain.
                let _ = tokio::time::timeout(Duration::from_secs(1), client.drain()).await;
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
