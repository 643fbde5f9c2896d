//! `control`: brokers, services and faults for test helpers in any language, by JSON lines.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::connect::{provision_settings, reaper};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::Global;
use super::output::Output;
use super::reader::reader_gone;
use super::signals::from_here_on;
use crate::control::{self, Machine};
use crate::private;

/// Arguments of `control`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ControlArgs {
    /// Serve each connection to this Unix socket instead of stdin and stdout, until a signal. It is made
    /// for this user only, in a folder that nobody else can write.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<ControlCommand>,
}

#[derive(Debug, Subcommand)]
enum ControlCommand {
    /// Print the JSON Schema of the control protocol.
    Schema,
    /// Print the description of the control protocol, which is docs/control.md.
    Protocol,
}

pub async fn run(
    args: ControlArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    match args.command {
        Some(ControlCommand::Schema) => {
            // A schema is for machines either way.
            output.line(format!("{:#}", control::schema()));
            output.object(&control::schema());
            return Ok(Exit::Success);
        }
        Some(ControlCommand::Protocol) => {
            let page = control::markdown();
            output.line(page.trim_end());
            output.object(&json!({ "ok": true, "markdown": page }));
            return Ok(Exit::Success);
        }
        None => {}
    }
    from_here_on().await;
    let machine = Arc::new(Machine::new(
        provision_settings(&global.tools, context),
        reaper(context),
        env!("CARGO_PKG_VERSION"),
        context.cwd.clone(),
        // Stdout is the protocol's.
        |line| tracing::warn!("{line}"),
    ));
    match args.socket {
        None => {
            let (input, answers) = (tokio::io::stdin(), tokio::io::stdout());
            let served = control::serve(machine, input, answers, output.unread()).await;
            served.map_err(|error| CliError::infrastructure("control: stdin and stdout", error))?;
            Ok(Exit::Success)
        }
        Some(path) => serve_socket(&machine, &context.absolute(&path), output).await,
    }
}

/// The socket's file, which goes with us.
struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Each connection is a session of its own.
async fn serve_socket(
    machine: &Arc<Machine>,
    path: &Path,
    output: &Output,
) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| {
        CliError::infrastructure(&format!("control: --socket {}", path.display()), error)
    };
    if let Some(folder) = path.parent() {
        private::folder(folder).map_err(failed)?;
    }
    let listener = listen(path).await.map_err(failed)?;
    let _until_we_end = Bound(path.to_owned());
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    output.line(format!("Ready: {}", path.display()));
    output.object(&json!({ "ok": true, "socket": path.display().to_string() }));
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let stream = accepted.map_err(failed)?.0;
                let unread = reader_gone(stream.as_fd().try_clone_to_owned());
                let (reading, writing) = stream.into_split();
                let machine = machine.clone();
                sessions.spawn(async move {
                    if let Err(error) = control::serve(machine, reading, writing, unread).await {
                        tracing::warn!(%error, "a session ended");
                    }
                });
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// Takes the place of a socket that nobody listens to any more, and of nothing else.
async fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            let refused = UnixStream::connect(path).await.map_err(|error| error.kind());
            if !is_socket || refused.err() != Some(ErrorKind::ConnectionRefused) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}
