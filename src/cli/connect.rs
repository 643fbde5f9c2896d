//! Which server a command talks to: named, found running, or started for this one call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{ConnectionArgs, Global, Tools};
use super::context::Context;
use super::exit::CliError;
use super::output::Output;
use super::{contexts, runtime_file, services};
use crate::broker::{self, Broker, Credentials, Role};
use crate::mono::{Auth, Connection, Running, Target, Tls};
use crate::process::Reaper;
use crate::provision;
use crate::wire::context::NatsContext;

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
            BrokerError::Cluster(error) => error.into(),
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
    let named = args.context.clone().or_else(|| match args.server {
        Some(_) => None,
        None => context.var("NATS_CONTEXT"),
    });
    let file = named.map(|name| contexts::read(&name, context)).transpose()?.unwrap_or_default();
    let url = args
        .server
        .clone()
        .or_else(|| (!file.url.is_empty()).then(|| file.url.clone()))
        .or_else(|| context.var("NATS_URL"));
    let Some(url) = url else {
        return match credentials_without_server(args) {
            Some(flag) => Err(CliError::usage(format!(
                "{flag} needs a server: name one with --server, --context or NATS_URL"
            ))),
            None => Ok(None),
        };
    };
    Ok(Some(Target {
        url,
        auth: auth(args, &file, context)?,
        tls: Tls {
            ca: first_path(&args.tlsca, &file.ca, context.path_var("NATS_CA")),
            client: first_path(&args.tlscert, &file.cert, context.path_var("NATS_CERT"))
                .zip(first_path(&args.tlskey, &file.key, context.path_var("NATS_KEY"))),
        },
        inbox_prefix: (!file.inbox_prefix.is_empty()).then(|| file.inbox_prefix.clone()),
        ..Target::default()
    }))
}

fn credentials_without_server(args: &ConnectionArgs) -> Option<&'static str> {
    [
        ("--user", args.user.is_some()),
        ("--token", args.token.is_some()),
        ("--creds", args.creds.is_some()),
        ("--nkey", args.nkey.is_some()),
        ("--tlsca", args.tlsca.is_some()),
        ("--tlscert", args.tlscert.is_some()),
    ]
    .into_iter()
    .find_map(|(flag, given)| given.then_some(flag))
}

/// Flags first, then the context, then the environment.
fn auth(args: &ConnectionArgs, file: &NatsContext, context: &Context) -> Result<Auth, CliError> {
    let from_env = |name| context.var(name);
    if let Some(user) = &args.user {
        let password =
            args.password.clone().or_else(|| from_env("NATS_PASSWORD")).unwrap_or_default();
        return Ok(Auth::User(user.clone(), password));
    }
    if let Some(token) = &args.token {
        return Ok(Auth::Token(token.clone()));
    }
    if let Some(path) = &args.creds {
        return Ok(Auth::Creds(path.clone()));
    }
    if let Some(path) = &args.nkey {
        return seed(path);
    }
    if !file.creds.is_empty() {
        return Ok(Auth::Creds(PathBuf::from(&file.creds)));
    }
    if !file.nkey.is_empty() {
        return seed(Path::new(&file.nkey));
    }
    if !file.user.is_empty() {
        return Ok(Auth::User(file.user.clone(), file.password.clone()));
    }
    if !file.token.is_empty() {
        return Ok(Auth::Token(file.token.clone()));
    }
    if let Some(user) = from_env("NATS_USER") {
        return Ok(Auth::User(user, from_env("NATS_PASSWORD").unwrap_or_default()));
    }
    if let Some(token) = from_env("NATS_TOKEN") {
        return Ok(Auth::Token(token));
    }
    if let Some(path) = context.path_var("NATS_CREDS") {
        return Ok(Auth::Creds(path));
    }
    context.path_var("NATS_NKEY").map_or(Ok(Auth::None), |path| seed(&path))
}

fn seed(path: &Path) -> Result<Auth, CliError> {
    std::fs::read_to_string(path)
        .map(|text| Auth::Nkey(text.trim().to_owned()))
        .map_err(|e| CliError::usage(format!("nkey file {}: {e}", path.display())))
}

fn first_path(flag: &Option<PathBuf>, file: &str, env: Option<PathBuf>) -> Option<PathBuf> {
    flag.clone().or_else(|| (!file.is_empty()).then(|| PathBuf::from(file))).or(env)
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
