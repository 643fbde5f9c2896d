//! The hint where nobody listens, and the services are known to run.

use super::connect::Session;
use super::context::Context;
use super::exit::{CliError, START_THE_SERVICES};
use super::running::{self, Runtime};

/// The error of an operation; where nobody listens, and the services are known to run, it says which they
/// are.
pub async fn nobody_listens(error: CliError, session: &Session, context: &Context) -> CliError {
    if error.hint.as_deref() != Some(START_THE_SERVICES) {
        return error;
    }
    if let Some(modules) = session.own_modules() {
        return error.hint(format!("the temporary broker has only {modules}"));
    }
    let connection = &session.connection;
    let (server, context) = (connection.client().server_info().server_name, context.clone());
    // Files are read: not on the runtime's thread.
    let found = tokio::task::spawn_blocking(move || running::of_server(&server, &context)).await;
    match found.ok().flatten().filter(|runtime| !runtime.modules.is_empty()) {
        Some(Runtime { modules, process, .. }) => error.hint(format!(
            "your `serve` (pid {}) has only {}: start what listens there, or correct the subject",
            process.pid,
            modules.join(", ")
        )),
        None => error,
    }
}
