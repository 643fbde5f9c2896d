//! Which server a command talks to: named, found running, or started for this one call.

use std::time::Duration;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::{ConnectionArgs, Global, Tools};
use super::output::Output;
use super::refused::{not_let_do, not_let_in};
use super::shell::word;
use super::signals::from_here_on;
use super::{contexts, running, services};
use crate::broker::{self, Broker, Credentials, Reached, Role};
use crate::mono::{Auth, Connection, Running, Target, without_secrets};
use crate::process::Reaper;
use crate::provision;

/// How long a drain may take at the end of a one-shot command.
const DRAIN: Duration = Duration::from_secs(5);

/// What monitoring shows of the connection of the services of this process.
pub const SERVICES: &str = "mono-demo services";

/// The variables by which a person names a server for other commands, and how to connect to it: they must
/// not reach what is started for a scenario or a bench.
pub const NAMES_A_SERVER: [&str; 10] = [
    "NATS_URL",
    "NATS_CONTEXT",
    "NATS_USER",
    "NATS_PASSWORD",
    "NATS_TOKEN",
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_CA",
    "NATS_CERT",
    "NATS_KEY",
];

/// A connection, with the broker and services that were started for it.
pub struct Session {
    pub connection: Connection,
    /// How long one request may take.
    pub timeout: Duration,
    /// The server, where it was named.
    named: Option<Target>,
    own: Option<Own>,
}

/// Which services a command asks: a broker of its own has no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// `math` alone.
    Math,
    /// Whatever there is.
    Any,
}

struct Own {
    asks: Asks,
    broker: Broker,
    running: Running,
    connection: Connection,
}

impl Session {
    /// Connects to a running server, or to its own broker, which is reported on stderr; in this
    /// role, if the server has roles.
    pub async fn open(
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        Self::open_for(Asks::Any, role, global, context, output).await
    }

    /// The same, for a command that asks these services.
    pub async fn open_for(
        asks: Asks,
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let timeout = timeout(&global.connection, context)?;
        if let Some((connection, named)) = there(role, global, context, output).await? {
            return Ok(Self { connection, timeout, named, own: None });
        }
        let own = Self::start(asks, role, timeout, global, context, output).await?;
        output.note(
            "note: no server is named and none is running, so this uses a temporary broker: \
             nothing is kept",
        );
        Ok(own)
    }

    /// Connects to a running server, and starts none: the command is about the content of its
    /// streams.
    pub async fn open_there(
        command: &str,
        role: Role,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let timeout = timeout(&global.connection, context)?;
        match there(role, global, context, output).await? {
            Some((connection, named)) => Ok(Self { connection, timeout, named, own: None }),
            None => Err(CliError::new(
                Exit::Connection,
                format!("{command}: no server is named and no `serve` is running"),
            )
            .hint("name one with --server, or start `mono-demo serve`; one with --unlisted is not seen")),
        }
    }

    async fn start(
        asks: Asks,
        role: Role,
        timeout: Duration,
        global: &Global,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let store = match asks {
            Asks::Math => broker::Store::Nowhere,
            Asks::Any => broker::Store::Temporary,
        };
        let mut settings =
            broker_settings(&global.tools, context, output, broker::Port::Any, store).await?;
        // The account of clients has nobody else in it: who asks for what is not served hears that
        // nobody listens, and no refusal.
        let mut roles = broker::Roles::default();
        roles.client.publish = vec![">".to_owned()];
        settings.auth = Some(broker::Auth::Roles(roles));
        let connecting = |reached: Reached| async move {
            // Connections that are not closed see the broker's end, which is no news.
            let target = |role| Target {
                quiet: asks == Asks::Math,
                ..as_role(reached.url(), role, reached.credentials(role))
            };
            let (worker, client) = (target(Role::Worker), target(role));
            tokio::try_join!(
                Connection::open(&worker, SERVICES),
                Connection::open(&client, "mono-demo")
            )
        };
        let (broker, connected) = Broker::start_beside(settings, connecting).await?;
        let (serving, connection) = connected?;
        let journals = broker.run_dir().join("journals");
        let keeping = services::Keeping::for_now(&journals);
        let (settings, proof) = (services::Settings::default(), services::Proof::default());
        let running = match asks {
            Asks::Math => services::start_math(&serving).await?,
            Asks::Any => services::start(&serving, settings, keeping, proof).await?,
        };
        Ok(Self {
            connection,
            timeout,
            named: None,
            own: Some(Own { asks, broker, running, connection: serving }),
        })
    }

    /// The outcome of what only the harness may do everywhere; or the server's refusal as soon as it is
    /// heard, for JetStream would not answer.
    pub async fn doing<T, E>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, E>>,
        context: &Context,
    ) -> Result<T, CliError>
    where
        CliError: From<E>,
    {
        tokio::select! {
            biased;
            words = self.connection.denied() => {
                Err(not_let_do(operation, &words, Role::Harness, &self.connection, context))
            }
            outcome = work => Ok(outcome?),
        }
    }

    /// What was shown to the server, where it was named: nothing that is told may have it in it.
    pub fn secrets(&self) -> Vec<String> {
        self.named.as_ref().map(super::login::secrets).unwrap_or_default()
    }

    /// Whether the broker was started for this call, so that nobody else can be there.
    pub fn is_temporary(&self) -> bool {
        self.own.is_some()
    }

    /// The modules of the services that were started for it.
    pub fn own_modules(&self) -> Option<String> {
        let registered = self.own.as_ref()?.running.registered().iter();
        Some(registered.map(|one| one.module.to_string()).collect::<Vec<_>>().join(", "))
    }

    /// Drains and stops what was started.
    pub async fn close(self) {
        if self.own.as_ref().is_none_or(|own| own.asks == Asks::Any) {
            self.connection.close(DRAIN).await;
        }
        if let Some(own) = self.own {
            // What was asked of `math` has its answer, and nothing else has happened there.
            if own.asks == Asks::Any {
                own.running.drain(DRAIN).await;
                own.connection.close(DRAIN).await;
            }
            if let Err(error) = own.broker.stop().await {
                tracing::warn!(%error, "the temporary broker did not stop cleanly");
            }
        }
    }
}

/// A connection to the server that flags or the environment name, to a running `serve`, or to the
/// server of the context that `nats context select` chose; in this order. With the server, where it was
/// named.
///
/// A running `serve` of this user comes before a context that was once selected, so that somebody
/// who tries a command does not reach another system by accident.
async fn there(
    role: Role,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Option<(Connection, Option<Target>)>, CliError> {
    from_here_on().await;
    let connect = async |target: &Target| {
        let opened = Connection::open(target, "mono-demo").await;
        opened.map_err(|error| not_let_in(error, target, role, context))
    };
    if let Some(target) = named_target(&global.connection, context)? {
        let connection = connect(&target).await;
        let connection = connection.map_err(|error| not_there(error, global, context))?;
        return Ok(Some((connection, Some(target))));
    }
    if let Some(connection) = running::find(role, context, output).await? {
        return Ok(Some((connection, None)));
    }
    let Some(name) = contexts::selected(context)? else { return Ok(None) };
    let args = ConnectionArgs { context: Some(name.clone()), ..global.connection.clone() };
    let why = "`nats context select` chose it; --server or --context names another server";
    let target = named_target(&args, context).map_err(|e| e.hint(why))?;
    let Some(target) = target else { return Ok(None) };
    output.note(format!("note: using the NATS context {name}, which `nats context select` chose"));
    let connection = connect(&target).await.map_err(|e| e.hint(why))?;
    Ok(Some((connection, Some(target))))
}

/// For what cannot be taken back: where no server is named, there is only one that can be meant.
///
/// # Errors
/// `serve` of this user run on several.
pub fn one_is_meant(operation: &str, global: &Global, context: &Context) -> Result<(), CliError> {
    if named_target(&global.connection, context)?.is_some() {
        return Ok(());
    }
    let living = running::living(context);
    if living.iter().all(|one| one.url == living[0].url) {
        return Ok(());
    }
    let (many, there) = (living.len(), running::list(&living));
    let message = format!("{operation}: {many} `serve` of yours are running: {there}");
    Err(CliError::usage(message).hint("name one with --server URL"))
}

/// What to do if no server answers: an exported variable outlives the `serve` that printed it.
fn not_there(error: CliError, global: &Global, context: &Context) -> CliError {
    if error.hint.is_some() || error.exit != Exit::Connection {
        return error;
    }
    error.hint(match named_by(&global.connection, context) {
        Some(variable) => format!("{variable} names it: start it, or `unset {variable}`"),
        None => "start it, or name another server with --server or --context".to_owned(),
    })
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
        beside: context.folder_of_this_program(),
        offline: tools.offline,
        python: context.path_var("MONO_DEMO_PYTHON"),
        ..provision::Settings::new(context.cache_dir())
    }
}

/// `--timeout`, else `NATS_TIMEOUT`, else 5 s.
pub fn timeout(args: &ConnectionArgs, context: &Context) -> Result<Duration, CliError> {
    match (args.timeout, context.var("NATS_TIMEOUT")) {
        (Some(timeout), _) => Ok(timeout),
        (None, Some(text)) => super::global::duration(&text)
            .map_err(|e| CliError::usage(format!("NATS_TIMEOUT: {e}"))),
        (None, None) => Ok(Duration::from_secs(5)),
    }
}

/// The server that flags, a context or the environment name, if any does.
pub fn named_target(args: &ConnectionArgs, context: &Context) -> Result<Option<Target>, CliError> {
    super::login::named_target(args, context)
}

/// The variable that names the server, if no flag does.
pub fn named_by(args: &ConnectionArgs, context: &Context) -> Option<&'static str> {
    let flag = args.server.is_some() || args.context.is_some();
    let set = |name: &&str| !flag && context.var(name).is_some();
    ["NATS_CONTEXT", "NATS_URL"].into_iter().find(set)
}

/// The flags that name this server again, as words of a shell. Nothing secret is in them: a password or
/// a token, which a URL has too, is left to whoever knows it.
pub fn named_again(args: &ConnectionArgs, target: &Target, context: &Context) -> String {
    let by_variable = || args.server.is_none().then(|| context.var("NATS_CONTEXT")).flatten();
    let named = args.context.clone().or_else(by_variable);
    let mut flags = Vec::new();
    if args.server.is_some() || named.is_none() {
        flags.push(format!("--server {}", word(without_secrets(&target.url))));
    }
    flags.extend(named.map(|name| format!("--context {}", word(name))));
    for (flag, path) in [
        ("--creds", &args.creds),
        ("--nkey", &args.nkey),
        ("--tlsca", &args.tlsca),
        ("--tlscert", &args.tlscert),
        ("--tlskey", &args.tlskey),
    ] {
        flags.extend(path.as_ref().map(|path| format!("{flag} {}", word(path.display()))));
    }
    flags.extend(args.tlsfirst.then(|| "--tlsfirst".to_owned()));
    flags.join(" ")
}
