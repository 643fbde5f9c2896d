//! One command of an installation, run to its end.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use crate::process::clean;

/// Runs one step of an installation.
pub(super) async fn run_step(
    what: &str,
    command: &mut Command,
    timeout: Duration,
    hint: impl FnOnce() -> String,
) -> Result<Output, ProvisionError> {
    run(command, timeout).await.map_err(|problem| ProvisionError::Install {
        what: what.to_owned(),
        command: shown(command),
        problem,
        hint: hint(),
    })
}

/// Runs a command to its end; the error of a failure has the last lines that it wrote.
pub(super) async fn run(command: &mut Command, timeout: Duration) -> Result<Output, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(timeout, command.output())
        .await
        .map_err(|_| format!("did not end within {timeout:?}"))?
        .map_err(|e| format!("could not be run: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("ended with {}:\n{}", output.status, last_lines(&output, 15)))
}

/// The last lines of what it wrote, safe to show.
pub(super) fn last_lines(output: &Output, count: usize) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<String> = stdout
        .lines()
        .chain(stderr.lines())
        .map(clean)
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The command as a person would type it, without the text of a script.
fn shown(command: &Command) -> String {
    let command = command.as_std();
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| match word.to_string_lossy() {
            word if word.contains('\n') => "…".into(),
            word => word,
        })
        .collect::<Vec<_>>()
        .join(" ")
}
