//! The clients under test: where each comes from, and what is said of one that is not here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::Context;
use super::driver::spawn_rust;
use super::exit::CliError;
use super::output::Output;
use super::own::NOT_LOOKED_FOR;
use super::typed::BuiltIn;
use super::{python, suite};
use crate::e2e::run::Client;
use crate::e2e::session::ClientUnderTest;
use crate::process::Spawn;
use crate::provision::{self, Progress, ProvisionError, Sources};

/// The Rust client once more, as a program; runs only where it is named.
const RUST_PIPE: &str = "rust-pipe";

/// All clients that a fixture may name.
pub const CLIENTS: [&str; 5] = ["rust", "python", "node", "go", RUST_PIPE];

macro_rules! sources {
    ($name:literal, $($path:literal)*) => {
        Sources {
            name: concat!($name, "-client"),
            files: vec![$(($path.to_owned(), include_str!(concat!("../../client/", $name, "/", $path)))),*],
        }
    };
}

/// All that the Node client runs with; `tests/clients.rs` holds it against the folder.
pub fn node_sources() -> Sources {
    sources!("node",
        "package.json" "package-lock.json" "index.mjs" "driver.mjs"
        "deadline.mjs" "denials.mjs" "email.mjs" "errors.mjs" "headers.mjs" "json.mjs" "link.mjs"
        "login.mjs" "math.mjs" "money.mjs" "outgoing.mjs" "payment.mjs" "subjects.mjs" "wire.mjs"
        "driver/calls.mjs" "driver/connection.mjs" "driver/driver.mjs" "driver/fields.mjs"
        "driver/inbox.mjs" "driver/lines.mjs"
    )
}

/// All that the Go client is built from.
pub fn go_sources() -> Sources {
    sources!("go",
        "go.mod" "go.sum" "cmd/driver/main.go"
        "client.go" "currencies.go" "denials.go" "email.go" "errors.go" "headers.go" "json.go"
        "math.go" "money.go" "payment.go" "subjects.go" "wire.go"
        "internal/driver/arguments.go" "internal/driver/calls.go" "internal/driver/driver.go"
        "internal/driver/fields.go" "internal/driver/inbox.go" "internal/driver/login.go"
        "internal/driver/replies.go" "internal/driver/session.go"
    )
}

/// Which clients are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Only these; empty is all.
    pub chosen: &'a [String],
    /// These must be there.
    pub required: &'a [String],
    /// Nothing is run: what is missing is not installed, and nobody is told.
    pub only_listed: bool,
}

/// The chosen clients, and Python's interpreter for the scenarios that run a program of theirs.
pub struct Prepared {
    pub clients: Vec<ClientUnderTest>,
    pub python: Result<PathBuf, String>,
}

impl Wanted<'_> {
    fn chooses(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|other| other == name);
        self.chosen.is_empty() || named(self.chosen) || named(self.required)
    }

    /// Asked for by name, it must be there; else its runs are left out, and say why.
    fn must_have(&self, name: &str) -> bool {
        self.chosen.iter().chain(self.required).any(|other| other == name)
    }

    /// Why a client that could not be prepared is left out.
    fn reason(&self, name: &str, error: ProvisionError) -> Result<String, CliError> {
        if self.must_have(name) && !self.only_listed {
            let message = format!("the {name} client: {error}");
            return Err(CliError { message, ..error.into() }.about(&["client", "require"]));
        }
        Ok(match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }
}

/// Prepares all that are chosen; a missing one is told in one line.
///
/// # Errors
/// If one that must be there cannot be prepared.
pub async fn prepare(
    wanted: Wanted<'_>,
    tools: &provision::Settings,
    root: &Path,
    context: &Context,
    output: &Output,
) -> Result<Prepared, CliError> {
    let progress = |line: &str| output.note(line);
    let python = if wanted.only_listed || !wanted.chooses("python") {
        Err("Python is not among the chosen clients".to_owned())
    } else {
        match provision::python_env(tools, python::REQUIREMENTS, &progress).await {
            Ok(env) => Ok(env.python),
            Err(error) => Err(wanted.reason("python", error)?),
        }
    };
    let mut clients = Vec::new();
    for name in CLIENTS.into_iter().filter(|name| wanted.chooses(name)) {
        let found = match name {
            "rust" => Ok(Client::InProcess(Arc::new(BuiltIn))),
            RUST_PIPE => Ok(Client::Program(Box::new(spawn_rust(context)))),
            _ if wanted.only_listed => Ok(Client::Unavailable(NOT_LOOKED_FOR.to_owned())),
            "python" => match &python {
                Ok(python) => python_client(root, tools, &progress).await.map(|folder| {
                    let driver = Spawn::new("driver python", python).args(["-m", "client.driver"]);
                    Client::Program(Box::new(driver.cwd(folder)))
                }),
                Err(reason) => Ok(Client::Unavailable(reason.clone())),
            },
            "node" => {
                provision::node_client(tools, &node_sources(), &progress).await.map(|client| {
                    let driver = Spawn::new("driver node", &client.node).arg(client.driver());
                    Client::Program(Box::new(driver))
                })
            }
            _ => provision::go_client(tools, &go_sources(), &progress)
                .await
                .map(|client| Client::Program(Box::new(Spawn::new("driver go", client.driver)))),
        };
        match found {
            Ok(client) => clients.push(ClientUnderTest {
                name: name.to_owned(),
                only_where_named: name == RUST_PIPE && !wanted.must_have(name),
                client,
            }),
            Err(error) => {
                let reason = wanted.reason(name, error)?;
                output.note(format!("skipping the {name} client: {reason}"));
            }
        }
    }
    Ok(Prepared { clients, python })
}

/// The folder of the Python client: that of the fixtures, where they are in a checkout, so that a change
/// of the client is seen; else it comes out of this program, as the other clients do.
async fn python_client(
    root: &Path,
    tools: &provision::Settings,
    progress: &Progress<'_>,
) -> Result<PathBuf, ProvisionError> {
    match root.join("client/driver/__main__.py").is_file() {
        true => Ok(root.to_owned()),
        false => provision::unpacked(tools, &suite::sources(), progress).await,
    }
}
