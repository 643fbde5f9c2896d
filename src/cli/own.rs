//! A user's own suite: its commands as services and clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::process::Command;

use super::exit::{CliError, Exit};
use super::output::{Output, printable};
use crate::broker::Credentials;
use crate::e2e::driver::TypedCalls;
use crate::e2e::run::{Client, DIR, ServiceContext, ServiceSpawn, ServiceUnderTest, ServicesOf};
use crate::e2e::scenario::{Fixture, Service, Suite, suite};
use crate::e2e::session::{ClientUnderTest, E2eError};
use crate::e2e::text::{Source, template};
use crate::given::read_given_text;
use crate::mono::Caller;
use crate::process::Spawn;
use crate::wire::driver::{DriverError, ErrorKind, Outcome};

/// Why a variable has no value if only names are needed.
pub const NOT_LOOKED_FOR: &str = "not looked for";
/// The suite file's name.
pub const FILE: &str = "suite.toml";
/// The client of a suite that names none.
const RUST: &str = "rust";
/// How long one command of `prepare` may take.
const PREPARE: Duration = Duration::from_secs(10 * 60);

/// What `{{name}}` stands for, or why it is not available here.
pub type Variables = BTreeMap<String, Result<String, String>>;

/// Reads the suite file of a folder.
///
/// # Errors
/// It cannot be read, or has mistakes: all of them.
pub fn read(folder: &Path, shown: &Path) -> Result<Suite, CliError> {
    let path = folder.join(FILE);
    let text = read_given_text(&path)
        .map_err(|e| CliError::usage(format!("cannot read {}: {e}", path.display())))?;
    let source = Source::new(&shown.join(FILE).display().to_string(), &text);
    let variables = ["python".to_owned()].into();
    suite::parse(source, variables).map_err(|error| E2eError::Fixtures(vec![error]).into())
}

/// Runs the commands that come before anything else.
///
/// # Errors
/// One that could not be run, or failed, with its last lines.
pub async fn prepare(
    suite: &Suite,
    root: &Path,
    variables: &Variables,
    output: &Output,
) -> Result<(), CliError> {
    for command in &suite.prepare {
        let words = filled(command, variables)?;
        let shown = command.join(" ");
        output.note(format!("preparing: {shown}"));
        let failed = |what: String| {
            CliError::new(Exit::Infrastructure, format!("prepare the suite: `{shown}` {what}"))
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(root).stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(PREPARE, command.output()).await;
        let ended = ended.map_err(|_| failed(format!("did not end within {PREPARE:?}")))?;
        let ended = ended.map_err(|error| failed(format!("could not be run: {error}")))?;
        if !ended.status.success() {
            let text = [ended.stdout, ended.stderr].concat();
            let text = printable(&String::from_utf8_lossy(&text));
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(15)..].join("\n");
            return Err(failed(format!("ended with {}:\n{last}", ended.status)));
        }
    }
    Ok(())
}

/// The services, as each fixture has them.
///
/// # Errors
/// A command of the suite needs what is not available here.
pub fn services(suite: &Suite, root: &Path, variables: &Variables) -> Result<ServicesOf, CliError> {
    for service in &suite.services {
        known(service.texts(), variables)?;
        let cwd = root.join(service.cwd.as_deref().unwrap_or_default());
        if !is_of_the_run(service) && !cwd.is_dir() {
            let (name, cwd) = (&service.name, cwd.display());
            return Err(CliError::usage(format!("service `{name}`: its `cwd` {cwd} is no folder")));
        }
    }
    let available = variables
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), Value::from(value.as_deref().ok()?))));
    let (root, available) = (root.to_owned(), available.collect::<template::Variables>());
    Ok(Arc::new(move |fixture: &Fixture| {
        let commands = fixture.commands.iter();
        commands.map(|service| under_test(service, &available, &root)).collect()
    }))
}

fn under_test(service: &Service, available: &template::Variables, root: &Path) -> ServiceUnderTest {
    let Service { name, run, env, .. } = service.clone();
    let available = available.clone();
    let (root, cwd) = (root.to_owned(), service.cwd.clone().unwrap_or_default());
    let has_program = !is_of_the_run(service);
    let spawn: ServiceSpawn = Arc::new(move |context: &ServiceContext| {
        // Those of the run are filled in when it begins.
        let fill = |text: &String| {
            template::fill_text(&template::fill_some(text, &available), &context.variables)
        };
        let words: Vec<String> = run.iter().map(fill).collect();
        let cwd = root.join(fill(&cwd));
        // A folder of the run is empty: the program is the suite's.
        let from = if has_program { &cwd } else { &root };
        let mut spawn = Spawn::new(&name, program(&words[0], from)).args(&words[1..]).cwd(&cwd);
        // It learns of the other nodes of a cluster from the first.
        let url = context.url.split(',').next().unwrap_or_default();
        // Else what Python prints stays in a buffer while somebody waits for it.
        spawn = spawn.env("PYTHONUNBUFFERED", "1");
        spawn = spawn.env("NATS_URL", url).env("MONO_DEMO_SEED", context.seed.to_string());
        spawn = spawn.env(DIR, &context.dir);
        if let Some(Credentials { user, password }) = &context.login {
            spawn = spawn.env("NATS_USER", user).env("NATS_PASSWORD", password);
        }
        // Last: a suite may say otherwise, as in NATS_URL = "{{url_with_credentials}}".
        for (name, value) in &env {
            spawn = spawn.env(name, fill(value));
        }
        spawn
    });
    ServiceUnderTest {
        name: service.name.clone(),
        spawn,
        ready: service.ready.clone(),
        ready_within: service.ready_within,
        stop_within: service.stop_within,
        processes: service.processes,
        may_end: service.may_end,
    }
}

/// Whether its working folder is there only while a run is, as `{{dir}}`.
fn is_of_the_run(service: &Service) -> bool {
    service.cwd.as_deref().is_some_and(|cwd| !template::names(cwd).is_empty())
}

/// A path is one from its working folder; a bare name is looked up in `PATH`.
fn program(word: &str, root: &Path) -> PathBuf {
    if !word.contains('/') {
        return PathBuf::from(word);
    }
    let path = root.join(word);
    // Of one that is not there, an error shows the way without its detours.
    match (path.exists(), path.parent().map(Path::canonicalize), path.file_name()) {
        (false, Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The clients: those that are chosen, of those that the suite names.
///
/// # Errors
/// A chosen or required client that it does not name; a command that needs what is not available.
pub fn clients(
    suite: &Suite,
    root: &Path,
    variables: &Variables,
    chosen: (&[String], &[String]),
) -> Result<Vec<ClientUnderTest>, CliError> {
    let raw: Arc<dyn TypedCalls> = Arc::new(NoTypedCalls);
    let mut clients = Vec::new();
    for name in chosen_names(suite, chosen)? {
        let given = suite.clients.iter().find(|client| client.name == name);
        let client = match given.map(|client| &client.command) {
            None => Client::InProcess(raw.clone()),
            Some(suite::Command::Driver(words)) => {
                let words = filled(words, variables)?;
                let spawn = Spawn::new(format!("driver {name}"), program(&words[0], root));
                Client::Program(Box::new(spawn.args(&words[1..]).cwd(root)))
            }
            Some(suite::Command::Run(words)) => {
                let words = filled(words, variables)?;
                Client::Command { words, raw: raw.clone() }
            }
        };
        clients.push(ClientUnderTest { name, client, only_where_named: false });
    }
    Ok(clients)
}

/// The same by name only: does not look for the programs that their commands need.
///
/// # Errors
/// A chosen or required client that the suite does not name.
pub fn clients_by_name(
    suite: &Suite,
    chosen: (&[String], &[String]),
) -> Result<Vec<ClientUnderTest>, CliError> {
    let by_name = |name: String| {
        let given = suite.clients.iter().find(|client| client.name == name);
        let client = match given.map(|client| &client.command) {
            // A scenario may name it.
            Some(suite::Command::Run(words)) => {
                Client::Command { words: words.clone(), raw: Arc::new(NoTypedCalls) }
            }
            _ => Client::Unavailable(NOT_LOOKED_FOR.to_owned()),
        };
        ClientUnderTest { name, client, only_where_named: false }
    };
    Ok(chosen_names(suite, chosen)?.into_iter().map(by_name).collect())
}

fn chosen_names(
    suite: &Suite,
    (chosen, required): (&[String], &[String]),
) -> Result<Vec<String>, CliError> {
    let names = client_names(suite);
    if let Some(name) = chosen.iter().chain(required).find(|name| !names.contains(name)) {
        return Err(CliError::usage(format!("the suite has no client `{name}`"))
            .hint(format!("it has {}", names.join(", ")))
            .about(&["client", "require"]));
    }
    let wanted = |name: &String| chosen.is_empty() || chosen.contains(name);
    Ok(names.into_iter().filter(wanted).collect())
}

/// The names that a fixture's `clients` may use.
pub fn client_names(suite: &Suite) -> Vec<String> {
    if suite.clients.is_empty() {
        return vec![RUST.to_owned()];
    }
    suite.clients.iter().map(|client| client.name.clone()).collect()
}

fn filled(words: &[String], variables: &Variables) -> Result<Vec<String>, CliError> {
    let known = known(words, variables)?;
    Ok(words.iter().map(|word| template::fill_text(word, &known)).collect())
}

/// The values that a command needs.
fn known<'a>(
    words: impl IntoIterator<Item = &'a String>,
    variables: &Variables,
) -> Result<template::Variables, CliError> {
    let mut known = template::Variables::new();
    for name in words.into_iter().flat_map(|word| template::names(word)) {
        match variables.get(name) {
            Some(Ok(value)) => _ = known.insert(name.to_owned(), Value::from(value.as_str())),
            Some(Err(reason)) => {
                let message = format!("{{{{{name}}}}} is not available: {reason}");
                return Err(CliError::new(Exit::Infrastructure, message));
            }
            None => {}
        }
    }
    Ok(known)
}

/// A client without methods: raw verbs only.
struct NoTypedCalls;

impl TypedCalls for NoTypedCalls {
    fn call(
        &self,
        _: Caller,
        method: String,
        _: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        let message = format!(
            "`call` {method}: this client has no methods; name one with a `driver` in the suite file, or use `request`, `publish`, `submit`, `run`"
        );
        let kind = ErrorKind::BadInput;
        let error = DriverError { kind, definite: true, message, code: None };
        std::future::ready(Outcome::Err(error)).boxed()
    }
}
