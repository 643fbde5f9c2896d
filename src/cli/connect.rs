//! Which server a command talks to: named, found running, or started for this one call.

use std::time::Duration;

use super::args::{ConnectionArgs, Global, Tools};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::{contexts, runtime_file, services};
use crate::broker::{self, Broker, Credentials, Role};
use crate::mono::{Auth, Connection, Running, Target};
use crate::process::Reaper;
use crate::provision;

/// How long a drain may take at the end of a one-shot command.
const DRAIN: Duration = Duration::from_secs(5);

/// A connection, and whatever had to be started for it.
pub struct Session {
    pub connection: Connection,
    /// How long one request may take.
    pub timeout: Duration,
    own: Option<Own>,
}

struct Own {
    broker: Broker,
    running: Running,
    connection: Connection,
}

impl Session {
    /// Connects to the named server, to a running `serve`, or to a broker of its own; to the latter
    /// two in this role, where they have roles.
    pub async fn open(
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let timeout = timeout(&global.connection, context)?;
        if let Some(target) = named_target(&global.connection, context)? {
            let connection = Connection::open(&target, "mono-demo").await?;
            return Ok(Self { connection, timeout, own: None });
        }
        if let Some(connection) = running_serve(role, context).await {
            return Ok(Self { connection, timeout, own: None });
        }
        let store = broker::Store::Temporary;
        let mut settings =
            broker_settings(&global.tools, context, output, broker::Port::Any, store).await?;
        settings.auth = Some(broker::Auth::Roles(broker::Roles::default()));
        let broker = Broker::start(settings).await?;
        let target = |role| as_role(broker.url(), role, broker.credentials(role));
        let serving = Connection::open(&target(Role::Worker), "mono-demo services").await?;
        let journals = broker.run_dir().join("journals");
        let running = services::start(
            &serving,
            services::Settings::default(),
            services::Keeping::for_now(&journals),
            services::Proof::default(),
        )
        .await?;
        let connection = Connection::open(&target(role), "mono-demo").await?;
        Ok(Self { connection, timeout, own: Some(Own { broker, running, connection: serving }) })
    }

    /// True if the broker was started for this call and ends with it.
    pub fn is_temporary(&self) -> bool {
        self.own.is_some()
    }

    /// Drains and stops what was started.
    pub async fn close(self) {
        self.connection.close(DRAIN).await;
        if let Some(own) = self.own {
            own.running.drain(DRAIN).await;
            own.connection.close(DRAIN).await;
            if let Err(error) = own.broker.stop().await {
                tracing::warn!(%error, "the temporary broker did not stop cleanly");
            }
        }
    }
}

/// Why there is no broker for this process.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Its program could not be found or installed.
    #[error(transparent)]
    Provision(#[from] provision::ProvisionError),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] broker::StartError),
    /// Several did not start, or not work together.
    #[error(transparent)]
    Cluster(#[from] broker::ClusterError),
}

impl From<BrokerError> for CliError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Provision(error) => error.into(),
            BrokerError::Start(error) => error.into(),
            BrokerError::Cluster(error) => CliError::new(Exit::Infrastructure, error),
        }
    }
}

/// A broker of this process, connected to in a role.
pub fn as_role(url: &str, role: Role, credentials: Option<&Credentials>) -> Target {
    let url = url.to_owned();
    let Some(Credentials { user, password }) = credentials.cloned() else {
        return Target { url, ..Target::default() };
    };
    let inbox_prefix = Some(role.inbox_prefix().to_owned());
    Target { url, auth: Auth::User(user, password), inbox_prefix, ..Target::default() }
}

/// What a broker of this process is started with; its program is found or installed.
pub async fn broker_settings(
    tools: &Tools,
    context: &Context,
    output: &Output,
    port: broker::Port,
    store: broker::Store,
) -> Result<broker::Settings, BrokerError> {
    let server = provision::nats_server(&provision_settings(tools, context), &|line: &str| {
        output.note(line)
    })
    .await?;
    let mut settings = broker::Settings::new(server, reaper(context));
    settings.port = port;
    settings.store = store;
    Ok(settings)
}

/// The reaper is this program.
pub fn reaper(context: &Context) -> Reaper {
    Reaper::new(&context.exe, &context.temp)
}

/// Where things are looked for and installed.
pub fn provision_settings(tools: &Tools, context: &Context) -> provision::Settings {
    provision::Settings {
        explicit: tools.nats_server.as_deref().map(|p| context.absolute(p)),
        env: context.path_var("MONO_DEMO_NATS_SERVER").map(|p| context.absolute(&p)),
        path: context.os("PATH").map(ToOwned::to_owned),
        offline: tools.offline,
        python: context.path_var("MONO_DEMO_PYTHON"),
        ..provision::Settings::new(context.cache_dir())
    }
}

/// `--timeout`, else `NATS_TIMEOUT`, else 5 s.
pub fn timeout(args: &ConnectionArgs, context: &Context) -> Result<Duration, CliError> {
    match (args.timeout, context.var("NATS_TIMEOUT")) {
        (Some(timeout), _) => Ok(timeout),
        (None, Some(text)) => {
            super::args::duration(&text).map_err(|e| CliError::usage(format!("NATS_TIMEOUT: {e}")))
        }
        (None, None) => Ok(Duration::from_secs(5)),
    }
}

/// The server that flags, a context or the environment name, if any does.
pub fn named_target(args: &ConnectionArgs, context: &Context) -> Result<Option<Target>, CliError> {
    super::login::named_target(args, context)
}

/// A connection to the `serve` that the runtime file names, if it still serves.
async fn running_serve(role: Role, context: &Context) -> Option<Connection> {
    let runtime = runtime_file::read(context)?;
    let target = match &runtime.contexts {
        None => Target { url: runtime.url.clone(), ..Target::default() },
        Some(folder) => {
            let text = std::fs::read_to_string(contexts::of_role(folder, role)).ok()?;
            contexts::target(serde_json::from_str(&text).ok()?)
        }
    };
    let connection = Connection::open(&target, "mono-demo").await.ok()?;
    let answers = connection.client().server_info().server_name;
    if runtime.name.split(',').any(|name| name == answers) {
        return Some(connection);
    }
    // Another broker listens there now: the file is a leftover of a `serve` that was killed.
    connection.close(DRAIN).await;
    None
}
