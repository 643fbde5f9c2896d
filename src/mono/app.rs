//! An application: modules started on a connection, and drained in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::connect::Connection;
use super::discovery::{self, Description};
use super::error::ModuleError;
use super::future::BoxFuture;
use super::module::{Kind, Module, Registration, Services};
use super::shutdown::{self, Shutdown, Trigger};
use super::tasks::{Ended, Tasks};
use super::{queue_group, request_reply, stream_consumer, stream_place};
use crate::wire::subjects::{Token, TokenError};

/// How long the broker may take to process the subscriptions.
const SUBSCRIBED: Duration = Duration::from_secs(10);
/// How long it may take to give back unfinished messages, and to flush.
const GIVES_BACK: Duration = Duration::from_secs(1);
/// How long to wait for the reason after a subscription has ended: another task reports the end of
/// the connection a moment later.
const TOLD: Duration = Duration::from_secs(1);

/// Modules that will be started together.
#[derive(Default)]
pub struct App {
    modules: Vec<Box<dyn Module>>,
}

/// Why an application did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A module or service has a name that cannot be in a subject.
    #[error("register module `{module}`: {source}")]
    Name {
        /// Which module.
        module: String,
        /// What is wrong with the name.
        source: TokenError,
    },
    /// A module's own start failed, or its streams could not be made.
    #[error("start module `{module}`: {source}")]
    Module {
        /// Which module.
        module: String,
        /// Its words.
        source: ModuleError,
    },
    /// The broker did not take the subscriptions.
    #[error("subscribe for module `{module}`: {evidence}")]
    Subscribe {
        /// Which module.
        module: String,
        /// What came back.
        evidence: String,
    },
    /// The server does not let this user do what the modules need.
    #[error("start the modules: {evidence}")]
    Denied {
        /// The server's words, which name the subject.
        evidence: String,
    },
}

impl StartError {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Module { source, .. } => source.hint.clone(),
            Self::Name { .. } | Self::Subscribe { .. } | Self::Denied { .. } => None,
        }
    }
}

/// What one module registered; its `Display` is the contract's registration line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The module's name.
    pub module: String,
    /// Its subjects, in the order of registration.
    pub subjects: Vec<String>,
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] Registered services: {}", self.module, self.subjects.join(", "))
    }
}

/// A started application.
pub struct Running {
    modules: Vec<Box<dyn Module>>,
    registered: Vec<Registered>,
    /// Where the service API answers.
    surveyed: Vec<String>,
    connection: Connection,
    trigger: Trigger,
    tasks: Tasks,
    /// Workers that take from streams, each with its name; held until everything else has started.
    takers: Vec<(String, BoxFuture<'static, ()>)>,
    /// A task that ended and has not been reported yet.
    ended: Option<Ended>,
    /// How many refusals there had been when everything had started.
    refused_before: u64,
}

/// Why an application stopped doing all its work although nobody drains it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Its connection ended.
    #[error("the connection ended: {0}")]
    Connection(String),
    /// The server took a subscription away.
    #[error("the broker took a subscription away: {0}")]
    Refused(String),
    /// One of its tasks ended.
    #[error("{task} ended: {evidence}")]
    Task {
        /// Which.
        task: String,
        /// Its panic, or that there was none.
        evidence: String,
    },
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// True if everything in hand was finished within the limit.
    pub complete: bool,
}

impl App {
    /// An application without modules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module.
    #[must_use]
    pub fn module(mut self, module: impl Module) -> Self {
        self.modules.push(Box::new(module));
        self
    }

    /// Starts every module. When this returns, every subscription has reached the broker: a
    /// request sent afterwards from anywhere finds its service.
    ///
    /// # Errors
    /// [`StartError`] names the module; what had been started is stopped.
    pub async fn start(self, connection: Connection) -> Result<Running, StartError> {
        let refused = connection.clone();
        tokio::select! {
            biased;
            evidence = refused.denied() => Err(StartError::Denied { evidence }),
            started = self.start_all(connection) => started,
        }
    }

    async fn start_all(self, connection: Connection) -> Result<Running, StartError> {
        let (trigger, shutdown) = shutdown::channel();
        let mut running = Running {
            modules: Vec::new(),
            registered: Vec::new(),
            surveyed: Vec::new(),
            connection,
            trigger,
            tasks: Tasks::default(),
            takers: Vec::new(),
            ended: None,
            refused_before: 0,
        };
        let instance = nuid::next().to_string();
        for module in self.modules {
            running.start_module(module, &instance, &shutdown).await?;
        }
        running.connection.barrier(SUBSCRIBED).await.map_err(|error| StartError::Subscribe {
            module: "all".to_owned(),
            evidence: error.to_string(),
        })?;
        // No message is taken out of a stream while something may still fail to start.
        for (name, taker) in std::mem::take(&mut running.takers) {
            running.tasks.spawn(name, taker);
        }
        running.refused_before = running.connection.caller().refusals();
        Ok(running)
    }
}

impl Running {
    /// What was registered, in the order of the modules.
    pub fn registered(&self) -> &[Registered] {
        &self.registered
    }

    /// Returns when this application stops doing all its work although nobody drains it.
    ///
    /// A worker ends only by a fault that cannot be repaired inside the process. The program waits
    /// for this beside its other reasons to end, and then ends the process, so that a new one can
    /// serve.
    /// Dropping the wait loses nothing.
    pub async fn lost(&mut self) -> Lost {
        let registered = self.registered.iter().flat_map(|r| &r.subjects);
        let own: Vec<&str> = registered.chain(&self.surveyed).map(String::as_str).collect();
        tokio::select! {
            biased;
            why = self.connection.ended() => return Lost::Connection(why),
            denied = self.connection.caller().refused_since(self.refused_before, &own) => {
                return Lost::Refused(denied.words);
            }
            // Kept, for whoever drops this wait now and waits again.
            Some(ended) = self.tasks.next(), if self.ended.is_none() => self.ended = Some(ended),
            () = std::future::ready(()), if self.ended.is_some() => {}
        }
        if self.ended.as_ref().is_some_and(|ended| ended.panic.is_none())
            && let Ok(why) = tokio::time::timeout(TOLD, self.connection.ended()).await
        {
            return Lost::Connection(why);
        }
        let Some(Ended { name: task, panic }) = self.ended.take() else {
            return Lost::Connection("all of it ended".to_owned());
        };
        let evidence = panic.map_or_else(
            || "its subscription ended".to_owned(),
            |panic| format!("it panicked: {panic}"),
        );
        Lost::Task { task, evidence }
    }

    /// Takes no new message, finishes the ones in progress within `limit`, gives the rest back (a
    /// request gets 503, a stream message is delivered again), stops the modules and flushes.
    pub async fn drain(self, limit: Duration) -> DrainReport {
        self.drain_until(tokio::time::sleep(limit)).await
    }

    /// The same; waits for messages in progress until `enough` returns, and one more second for
    /// everything else.
    pub async fn drain_until(mut self, enough: impl Future<Output = ()> + Send) -> DrainReport {
        self.trigger.drain();
        let enough = enough.shared();
        let complete = tokio::select! {
            biased;
            () = self.join() => true,
            () = enough.clone() => false,
        };
        let too_late = async {
            enough.await;
            tokio::time::sleep(GIVES_BACK).await;
        };
        let last = async {
            if !complete {
                self.trigger.expire();
                // Workers end by themselves now; a handler that never yields is the exception.
                let _ = tokio::time::timeout(GIVES_BACK, self.join()).await;
            }
            for module in &self.modules {
                module.stop().await;
            }
            self.connection.barrier(GIVES_BACK).await.map_err(|error| error.to_string())
        };
        let flushed = tokio::select! {
            flushed = last => flushed,
            () = too_late => Err(format!("the broker did not answer within {GIVES_BACK:?}")),
        };
        if let Err(error) = flushed {
            tracing::warn!(%error, "the last replies may not have reached the broker");
        }
        DrainReport { complete }
    }

    async fn join(&mut self) {
        while let Some(Ended { name, panic }) = self.tasks.next().await {
            if let Some(panic) = panic {
                tracing::error!(%panic, "{name} ended badly");
            }
        }
    }

    async fn start_module(
        &mut self,
        module: Box<dyn Module>,
        instance: &str,
        shutdown: &Shutdown,
    ) -> Result<(), StartError> {
        let name = module.name().to_owned();
        let bad_name = |source| StartError::Name { module: name.clone(), source };
        let failed = |source| StartError::Module { module: name.clone(), source };
        let mut services = Services::new(Token::new(&name).map_err(bad_name)?);
        module.register(&mut services);
        if let Some(error) = services.invalid {
            return Err(bad_name(error));
        }
        module.start().await.map_err(failed)?;

        let registrations: Vec<_> = services.list.into_iter().map(Arc::new).collect();
        for registration in &registrations {
            if let Kind::StreamConsumer { settings, .. } = &registration.kind {
                stream_place::prepare(&self.connection, settings, &registration.subject)
                    .await
                    .map_err(failed)?;
            }
            for n in 1..=registration.workers {
                let worker = format!("{}-{n}@{instance}", registration.service);
                self.spawn_worker(registration, worker.into(), shutdown)
                    .await
                    .map_err(|evidence| StartError::Subscribe { module: name.clone(), evidence })?;
            }
        }
        self.registered.push(Registered {
            module: name.clone(),
            subjects: registrations.iter().map(|r| r.subject.clone()).collect(),
        });
        let surveyed = discovery::subjects(&name, instance);
        let description = Description {
            module: name.clone(),
            instance: instance.to_owned(),
            started: jiff::Timestamp::now().to_string(),
            registrations,
        };
        let client = self.connection.client().clone();
        let answering =
            discovery::answer(client, &surveyed, description, shutdown.clone()).await.map_err(
                |e| StartError::Subscribe { module: name.clone(), evidence: e.to_string() },
            )?;
        self.surveyed.extend(surveyed);
        self.tasks.spawn(format!("the service API of module `{name}`"), answering);
        self.modules.push(module);
        Ok(())
    }

    async fn spawn_worker(
        &mut self,
        registration: &Arc<Registration>,
        worker: Arc<str>,
        shutdown: &Shutdown,
    ) -> Result<(), String> {
        let client = self.connection.client().clone();
        let (registration, shutdown) = (Arc::clone(registration), shutdown.clone());
        let name = format!("worker {worker} of `{}`", registration.subject);
        let subscribe = || {
            client.queue_subscribe(registration.subject.clone(), registration.queue_group.clone())
        };
        match &registration.kind {
            Kind::RequestReply(handler) => {
                let subscriber = subscribe().await.map_err(|e| e.to_string())?;
                let handler = Arc::clone(handler);
                let caller = self.connection.caller().clone();
                let work = request_reply::work(
                    caller,
                    subscriber,
                    registration,
                    handler,
                    worker,
                    shutdown,
                );
                self.tasks.spawn(name, work);
            }
            Kind::QueueGroup { handler, rejected } => {
                let subscriber = subscribe().await.map_err(|e| e.to_string())?;
                let (handler, rejected) = (Arc::clone(handler), rejected.clone());
                let caller = self.connection.caller().clone();
                let work = queue_group::work(
                    caller,
                    subscriber,
                    registration,
                    handler,
                    rejected,
                    worker,
                    shutdown,
                );
                self.tasks.spawn(name, work);
            }
            Kind::StreamConsumer { handler, settings, in_hand } => {
                let in_hand = Arc::clone(in_hand);
                let (handler, settings) = (Arc::clone(handler), *settings.clone());
                let connection = self.connection.clone();
                let work = stream_consumer::work(
                    connection,
                    registration,
                    handler,
                    settings,
                    in_hand,
                    worker,
                    shutdown,
                );
                self.takers.push((name, Box::pin(work)));
            }
        }
        Ok(())
    }
}
