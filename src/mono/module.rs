//! A module, and the typed registrations it makes.

use std::future::Future;
use std::sync::Arc;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::dispatch::guarded;
use super::error::{ModuleError, ServiceError};
use super::future::BoxFuture;
use super::headers::set_header;
use super::in_hand::InHand;
use super::shutdown::Shutdown;
use super::stats::Stats;
use super::stream::{DynStreamHandler, StreamHandler, erase};
use super::stream_settings::StreamSettings;
use crate::wire::Unreadable;
use crate::wire::subjects::{self, Token, TokenError};

/// A unit of services that starts and stops together.
///
/// See `examples/greeter.rs` for a whole one.
pub trait Module: Send + Sync + 'static {
    /// The second token of its subjects, `services.<name>.…`.
    fn name(&self) -> &str;

    /// Says which services it offers.
    fn register(&self, services: &mut Services);

    /// Runs before its services take messages: make streams here. The default does nothing.
    fn start(&self) -> BoxFuture<'_, Result<(), ModuleError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Runs after its services have drained. The default does nothing.
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a handler learns about a message beside its body.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who handles it: `<service>-<n>@<instance>`, unique for each worker of each process.
    pub worker: Arc<str>,
    /// The message's headers, if it has any.
    pub headers: Option<HeaderMap>,
}

pub(crate) type Handler =
    Arc<dyn Fn(Bytes, Call) -> BoxFuture<'static, Result<Bytes, ServiceError>> + Send + Sync>;

pub(crate) enum Kind {
    RequestReply(Handler),
    QueueGroup {
        handler: Handler,
        rejected: Option<String>,
    },
    StreamConsumer {
        handler: Arc<dyn DynStreamHandler>,
        settings: Box<StreamSettings>,
        in_hand: Arc<InHand>,
    },
}

/// One registered service.
pub struct Registration {
    pub(crate) service: Token,
    pub(crate) subject: String,
    pub(crate) queue_group: String,
    pub(crate) workers: usize,
    pub(crate) concurrency: usize,
    pub(crate) backlog: usize,
    pub(crate) stats: Arc<Stats>,
    pub(crate) kind: Kind,
}

impl Registration {
    /// How many workers share the messages in this process (at least 1; default 1).
    pub fn workers(&mut self, workers: usize) -> &mut Self {
        self.workers = workers.max(1);
        self
    }

    /// How many messages each worker handles at once (default 256), and for core messages how
    /// many more may wait before requests are refused with 503 (default 16,384).
    pub fn bounds(&mut self, concurrency: usize, backlog: usize) -> &mut Self {
        self.concurrency = concurrency.max(1);
        self.backlog = backlog;
        self
    }

    /// Another queue group than the default (ADR-32): of each group one member gets a message.
    pub fn in_group(&mut self, queue_group: &str) -> &mut Self {
        queue_group.clone_into(&mut self.queue_group);
        self
    }

    /// The pattern's name, as the service API's metadata shows it.
    pub(crate) fn pattern(&self) -> &'static str {
        match self.kind {
            Kind::RequestReply(_) => "request-reply",
            Kind::QueueGroup { .. } => "queue-group",
            Kind::StreamConsumer { .. } => "stream-consumer",
        }
    }
}

/// Where a module registers its services.
pub struct Services {
    module: Token,
    pub(crate) list: Vec<Registration>,
    pub(crate) invalid: Option<TokenError>,
}

impl Services {
    pub(crate) fn new(module: Token) -> Self {
        Self { module, list: Vec::new(), invalid: None }
    }

    /// A service that answers each request: `handler` gets the decoded body and returns what is
    /// encoded as the reply. A body that does not decode is answered with 400, a failure or a
    /// panic with 500, more than the bounds allow or a drain that runs out of time with 503.
    pub fn request_reply<T, R, F>(
        &mut self,
        service: &str,
        handler: impl Fn(T, Call) -> F + Send + Sync + 'static,
    ) -> &mut Registration
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Future<Output = Result<R, ServiceError>> + Send + 'static,
    {
        let group = format!("{}-{service}", self.module);
        self.add(service, group, Kind::RequestReply(typed(handler)))
    }

    /// A service that takes each message once among the workers of `group`, and promises no reply.
    ///
    /// What cannot be accepted (a body that does not decode, [`ServiceError::bad_request`]) is
    /// counted as an error and, where `rejected` names a service of this module, published on
    /// that subject with its reason in headers.
    pub fn queue_group<T, F>(
        &mut self,
        service: &str,
        group: &str,
        rejected: Option<&str>,
        handler: impl Fn(T, Call) -> F + Send + Sync + 'static,
    ) -> &mut Registration
    where
        T: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<(), ServiceError>> + Send + 'static,
    {
        let rejected = rejected.and_then(|name| self.subject(name));
        let handler = typed(handler);
        self.add(service, group.to_owned(), Kind::QueueGroup { handler, rejected })
    }

    /// A durable consumer of a stream: each message is acknowledged after `handler` succeeded,
    /// delivered again after a transient failure, and filed as a dead letter otherwise.
    pub fn stream_consumer<H: StreamHandler>(
        &mut self,
        service: &str,
        settings: StreamSettings,
        handler: H,
    ) -> &mut Registration {
        let group = settings.durable.clone();
        self.add(
            service,
            group,
            Kind::StreamConsumer {
                handler: erase(handler),
                settings: Box::new(settings),
                in_hand: Arc::default(),
            },
        )
    }

    fn add(&mut self, service: &str, queue_group: String, kind: Kind) -> &mut Registration {
        let subject = self.subject(service).unwrap_or_default();
        let token = Token::new(service).unwrap_or_else(|_| self.module.clone());
        self.list.push(Registration {
            service: token,
            subject,
            queue_group,
            workers: 1,
            concurrency: 256,
            backlog: 16_384,
            stats: Arc::default(),
            kind,
        });
        self.list.last_mut().expect("just pushed")
    }

    /// The subject of a service of this module; a bad name is kept and fails the start.
    fn subject(&mut self, service: &str) -> Option<String> {
        match Token::new(service) {
            Ok(token) => Some(subjects::service(&self.module, &token)),
            Err(error) => {
                self.invalid.get_or_insert(error);
                None
            }
        }
    }
}

/// Erases a typed handler: the one place where bodies are decoded and replies encoded.
fn typed<T, R, F>(handler: impl Fn(T, Call) -> F + Send + Sync + 'static) -> Handler
where
    T: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: Future<Output = Result<R, ServiceError>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |body, call| {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            let request = super::decode(&body).map_err(ServiceError::bad_request)?;
            let reply = handler(request, call).await?;
            serde_json::to_vec(&reply)
                .map(Bytes::from)
                .map_err(|e| ServiceError::internal(format!("the reply cannot be encoded: {e}")))
        })
    })
}

/// Runs a handler on a core message: a panic is a 500, a drain that runs out of time a 503. `what`
/// is what the message is called there.
pub(crate) async fn handled(
    what: &str,
    handler: &Handler,
    message: &async_nats::Message,
    worker: &Arc<str>,
    shutdown: &Shutdown,
) -> Result<Bytes, ServiceError> {
    if let Some(unreadable) = Unreadable::of(message.headers.as_ref()) {
        return Err(ServiceError::bad_request(unreadable.to_string()));
    }
    let call = Call { worker: Arc::clone(worker), headers: message.headers.clone() };
    tokio::select! {
        biased;
        result = guarded(handler(message.payload.clone(), call)) => {
            result.unwrap_or_else(|panic| Err(ServiceError::internal(panic)))
        }
        () = shutdown.expired() => {
            Err(ServiceError::unavailable(format!("draining: the {what} was not finished in time")))
        }
    }
}

/// The headers of an error reply, by CONTRACT.md and the NATS service API (ADR-32).
pub(crate) fn error_headers(error: &ServiceError) -> HeaderMap {
    use crate::wire::headers as h;
    let mut headers = HeaderMap::new();
    let number = error.code.number().to_string();
    for (name, value) in [
        (h::ERROR, "true"),
        (h::ERROR_TYPE, error.code.kind()),
        (h::ERROR_MESSAGE, error.message.as_str()),
        (h::SERVICE_ERROR, error.message.as_str()),
        (h::SERVICE_ERROR_CODE, number.as_str()),
    ] {
        set_header(&mut headers, name, value);
    }
    headers
}
