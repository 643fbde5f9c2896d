//! The parts of a suite: its services, clients and variables, built-in or the user's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum as _;

use super::clients::{self, CLIENTS, Prepared, Wanted};
use super::connect::NAMES_A_SERVER;
use super::context::Context;
use super::e2e::RunArgs;
use super::exit::CliError;
use super::output::Output;
use super::own::{self, Variables};
use super::{python, services};
use crate::broker::Roles;
use crate::e2e::run::{ServiceContext, ServiceSpawn, ServiceUnderTest, ServicesOf};
use crate::e2e::scenario::{Defaults, Hazards, Promise, Ready, Service, Suite};
use crate::e2e::session::{ClientUnderTest, Validate};
use crate::e2e::text::Row;
use crate::modules::contract::json_schema;
use crate::modules::payment::{LEDGER, REQUESTS, Sabotage};
use crate::process::Spawn;
use crate::provision;

/// The built-in services run in one process, which faults and logs call so.
pub const SERVICES: &str = "services";
/// From their start to their line `Ready: …`.
const READY: Duration = Duration::from_secs(20);
const READY_LINE: &str = "Ready: ";
/// How long they may take to drain.
const DRAIN: Duration = Duration::from_secs(15);

/// The differences between the built-in suite and a user's own.
pub struct Parts {
    pub clients: Vec<ClientUnderTest>,
    pub known_clients: Vec<String>,
    pub services: ServicesOf,
    pub known_services: Vec<String>,
    /// The suite's services where they are commands.
    pub commands: Option<Vec<Service>>,
    pub roles: Roles,
    /// What holds for every scenario that does not say otherwise.
    pub defaults: Defaults,
    /// What the suite promises.
    pub promises: Vec<Promise>,
    /// Streams whose leaders break where a fault names none.
    pub leaders: Vec<String>,
    /// What differs from run to run.
    pub redact: Vec<Row>,
    /// Schemas by name, below `$defs`.
    pub contract: serde_json::Value,
    pub variables: Variables,
    pub validate: Arc<Validate>,
    /// The payments are the built-in ones: their content is known.
    pub payments: bool,
}

/// Of a suite file.
///
/// # Errors
/// A command that cannot be run here, or a client that the suite does not have.
pub async fn of_own(
    suite: &Suite,
    args: &RunArgs,
    root: &Path,
    tools: &provision::Settings,
    output: &Output,
) -> Result<Parts, CliError> {
    let progress = |line: &str| output.note(line);
    let env = provision::python_env(tools, python::REQUIREMENTS, &progress).await;
    let python = env.map(|env| env.python.display().to_string()).map_err(|error| error.to_string());
    let variables = Variables::from([("python".to_owned(), python)]);
    own::prepare(suite, root, &variables, output).await?;
    let chosen = (args.client.as_slice(), args.require.as_slice());
    Ok(Parts {
        clients: own::clients(suite, root, &variables, chosen)?,
        services: own::services(suite, root, &variables)?,
        ..own_parts(suite, variables)
    })
}

/// Of a suite file, by name only: its commands need not be there.
///
/// # Errors
/// A client that the suite does not have.
pub fn of_own_by_name(suite: &Suite, args: &RunArgs) -> Result<Parts, CliError> {
    let variables = Variables::from([("python".to_owned(), Err(own::NOT_LOOKED_FOR.to_owned()))]);
    let chosen = (args.client.as_slice(), args.require.as_slice());
    Ok(Parts { clients: own::clients_by_name(suite, chosen)?, ..own_parts(suite, variables) })
}

fn own_parts(suite: &Suite, variables: Variables) -> Parts {
    let names: Vec<String> = suite.services.iter().map(|service| service.name.clone()).collect();
    Parts {
        clients: Vec::new(),
        known_clients: own::client_names(suite),
        services: Arc::new(|_| Vec::new()),
        known_services: names,
        commands: Some(suite.services.clone()),
        defaults: suite.defaults.clone(),
        promises: suite.promises.clone(),
        leaders: Vec::new(),
        redact: suite.redact.clone(),
        contract: serde_json::Value::Null,
        // Nobody knows which subjects they need.
        roles: Roles::unlimited(),
        variables,
        validate: Arc::new(|_| Ok(())),
        payments: false,
    }
}

/// Of the built-in modules; `by_name` prepares nothing.
///
/// # Errors
/// A client that must be there and cannot be prepared.
pub async fn of_built_in(
    by_name: bool,
    args: &RunArgs,
    root: &Path,
    tools: &provision::Settings,
    context: &Context,
    output: &Output,
) -> Result<Parts, CliError> {
    for name in args.client.iter().chain(&args.require) {
        if !CLIENTS.contains(&name.as_str()) {
            return Err(CliError::usage(format!("there is no client `{name}`"))
                .hint(format!("there are {}", CLIENTS.join(", ")))
                .about(&["client", "require"]));
        }
    }
    let wanted = Wanted { chosen: &args.client, required: &args.require, only_listed: by_name };
    let Prepared { clients, python } =
        clients::prepare(wanted, tools, root, context, output).await?;
    let variable = python.map(|path| path.display().to_string());
    let spawn = serve(context, args.sabotage);
    let service = ServiceUnderTest {
        name: SERVICES.to_owned(),
        spawn,
        ready: Ready::Line(READY_LINE.to_owned()),
        ready_within: READY,
        stop_within: DRAIN,
        processes: 1,
        may_end: false,
    };
    Ok(Parts {
        clients,
        known_clients: CLIENTS.map(str::to_owned).to_vec(),
        services: Arc::new(move |_| vec![service.clone()]),
        known_services: vec![SERVICES.to_owned()],
        commands: None,
        roles: Roles::default(),
        // They are this program's own: `tests/hazards.rs` looks at them.
        defaults: Defaults { hazards: Some(Hazards::Ignore), ..Defaults::default() },
        promises: Vec::new(),
        leaders: [LEDGER, REQUESTS].map(str::to_owned).to_vec(),
        redact: Vec::new(),
        contract: json_schema(),
        variables: BTreeMap::from([("python".to_owned(), variable)]),
        validate: Arc::new(|table| {
            let read: Result<services::Settings, _> = table.clone().try_into();
            read.map(drop).map_err(|error| error.message().to_owned())
        }),
        payments: true,
    })
}

/// The services are this program too, in a process that can be killed.
fn serve(context: &Context, sabotage: Option<Sabotage>) -> ServiceSpawn {
    let exe = context.exe.clone();
    Arc::new(move |services: &ServiceContext| {
        let sabotaged = sabotage.and_then(|kind| kind.to_possible_value());
        let sabotaged = sabotaged.map(|kind| format!("--sabotage={}", kind.get_name()));
        let spawn = Spawn::new(SERVICES, &exe)
            .args(["serve", "--no-config", "--server", &services.url, "--context"])
            .arg(&services.credentials)
            .arg("--settings")
            .arg(&services.settings)
            .arg("--journal-dir")
            .arg(&services.journal_dir)
            .args(["--note-deliveries", "--unlisted"])
            .args(sabotaged);
        // What a person has set for other commands, or serves, must not reach a scenario.
        let spawn = spawn.env("XDG_RUNTIME_DIR", &services.journal_dir);
        NAMES_A_SERVER.into_iter().fold(spawn, |spawn, name| spawn.env_remove(name))
    })
}
