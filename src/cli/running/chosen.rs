//! Which of the `serve` processes of this user a command is about.

use super::file::{Runtime, living};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};

/// All that live, the newest first.
///
/// # Errors
/// None does.
pub fn all(command: &str, context: &Context) -> Result<Vec<Runtime>, CliError> {
    let living = living(context);
    if living.is_empty() {
        let message = format!("{command}: no `serve` of yours is running");
        return Err(CliError::new(Exit::Connection, message).hint(
            "start one with `mono-demo serve`; one with another XDG_RUNTIME_DIR, or with --unlisted, is not seen",
        ));
    }
    Ok(living)
}

/// The one of this pid.
///
/// # Errors
/// There is none.
pub fn of_pid(command: &str, pid: u32, context: &Context) -> Result<Runtime, CliError> {
    let living = all(command, context)?;
    let there = list(&living);
    let found = living.into_iter().find(|runtime| runtime.process.pid == pid);
    found.ok_or_else(|| {
        CliError::usage(format!("{command}: no `serve` of yours has the pid {pid}"))
            .hint(format!("there is {there}"))
    })
}

/// Each with its pid and URL, for people.
pub fn list(living: &[Runtime]) -> String {
    let shown = |runtime: &Runtime| format!("pid {} at {}", runtime.process.pid, runtime.url);
    living.iter().map(shown).collect::<Vec<_>>().join(", and ")
}
