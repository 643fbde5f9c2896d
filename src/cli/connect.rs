//! Which server a command talks to: named, found running, or started for this one call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{ConnectionArgs, Global, Tools};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::signals::from_here_on;
use super::{contexts, running, services};
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
    /// Connects to the server that is there, or to a broker of its own; in this role, where that has
    /// roles. A broker of its own is said on stderr.
    pub async fn open(
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let timeout = timeout(&global.connection, context)?;
        if let Some(connection) = there(role, global, context, output).await? {
            return Ok(Self { connection, timeout, own: None });
        }
        let own = Self::start(role, timeout, global, context, output).await?;
        output.note(
            "note: no server is named and none is running, so this uses a temporary broker: \
             nothing is kept",
        );
        Ok(own)
    }

    /// Connects to the server that is there, and starts none: what is asked is about what it holds.
    pub async fn open_there(
        command: &str,
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let timeout = timeout(&global.connection, context)?;
        match there(role, global, context, output).await? {
            Some(connection) => Ok(Self { connection, timeout, own: None }),
            None => Err(CliError::new(
                Exit::Connection,
                format!("{command}: no server is named and no `serve` is running"),
            )
            .hint("name one with --server, or start `mono-demo serve`")),
        }
    }

    async fn start(
        role: Role,
        timeout: Duration,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
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

/// A connection to the server that flags or the environment name, to a running `serve`, or to the
/// server of the context that `nats context select` chose; in this order.
///
/// A `serve` that this user keeps running is nearer than a context that was once selected: who tries
/// something out must not meet another system by it.
async fn there(
    role: Role,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Option<Connection>, CliError> {
    from_here_on().await;
    let connect = async |target: &Target| Connection::open(target, "mono-demo").await;
    if let Some(target) = named_target(&global.connection, context)? {
        return Ok(Some(connect(&target).await?));
    }
    if let Some(connection) = running::find(role, context, output).await {
        return Ok(Some(connection));
    }
    let Some(name) = contexts::selected(context) else { return Ok(None) };
    let args = ConnectionArgs { context: Some(name.clone()), ..global.connection.clone() };
    let why = "`nats context select` chose it; --server or --context names another server";
    let target = named_target(&args, context).map_err(|e| e.hint(why))?;
    let Some(target) = target else { return Ok(None) };
    output.note(format!("note: using the NATS context {name}, which `nats context select` chose"));
    let connection = connect(&target).await.map_err(|e| CliError::from(e).hint(why))?;
    Ok(Some(connection))
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

/// The variable that names the server, if no flag does.
pub fn named_by(args: &ConnectionArgs, context: &Context) -> Option<&'static str> {
    let flag = args.server.is_some() || args.context.is_some();
    let set = |name: &&str| !flag && context.var(name).is_some();
    ["NATS_CONTEXT", "NATS_URL"].into_iter().find(set)
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
