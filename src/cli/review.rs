//! `e2e review`: shows each changed transcript, and accepts or rejects it.

use std::path::{Path, PathBuf};

use clap::Args;
use console::{Key, Style, Term};
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::suite;
use crate::e2e::session::SnapshotError;
use crate::e2e::session::{Pending, pending};

/// Arguments of `e2e review`.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// The folder of the transcripts [default: that of the scenarios that `e2e` runs here].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Accept all changes without asking.
    #[arg(long)]
    accept: bool,
    /// Reject all changes without asking.
    #[arg(long, conflicts_with = "accept")]
    reject: bool,
}

/// What to do with one transcript.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Reject,
    Skip,
    Quit,
}

pub fn run(args: &ReviewArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    if context.ci() {
        return Err(CliError::usage("CI is set, where nobody can review a golden file")
            .hint("run it on your own machine, and commit what it wrote"));
    }
    let folder = match &args.folder {
        Some(folder) => context.absolute(folder),
        None => suite::fixtures_here(context)?,
    };
    let waiting = pending(&folder)
        .map_err(|e| CliError::usage(format!("cannot read {}: {e}", folder.display())))?;
    let all = match args {
        ReviewArgs { accept: true, .. } => Some(Answer::Accept),
        ReviewArgs { reject: true, .. } => Some(Answer::Reject),
        _ => None,
    };
    if all.is_none() && !waiting.is_empty() && !(context.stdin_tty && context.stdout_tty) {
        let waiting = waiting.len();
        return Err(CliError::usage(format!("{waiting} to review, and no terminal to ask on"))
            .hint("`--accept` accepts all, `--reject` removes all; `git diff` shows the result"));
    }
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    for (index, one) in waiting.iter().enumerate() {
        let golden = one.golden();
        let shown = golden.strip_prefix(&context.cwd).unwrap_or(&golden).to_owned();
        let answer = match all {
            Some(answer) => answer,
            None => {
                show(one, &shown, (index + 1, waiting.len()), output)?;
                ask(output)?
            }
        };
        match answer {
            Answer::Accept => {
                one.accept()?;
                output.line(format!("accepted  {}", shown.display()));
                accepted.push(shown);
            }
            Answer::Reject => {
                one.reject()?;
                output.line(format!("rejected  {}", shown.display()));
                rejected.push(shown);
            }
            Answer::Skip => output.line(format!("skipped   {}", shown.display())),
            Answer::Quit => break,
        }
    }
    let left = waiting.len() - accepted.len() - rejected.len();
    let (took, refused) = (accepted.len(), rejected.len());
    output.line(match waiting.len() {
        0 => {
            let shown = folder.strip_prefix(&context.cwd).unwrap_or(&folder);
            format!("nothing below {} waits for review", shown.display())
        }
        _ => format!("{took} accepted, {refused} rejected, {left} left"),
    });
    output.object(&json!({ "ok": true, "accepted": accepted, "rejected": rejected, "left": left }));
    Ok(Exit::Success)
}

fn show(
    one: &Pending,
    shown: &Path,
    (number, of): (usize, usize),
    output: &Output,
) -> Result<(), CliError> {
    output.line("");
    output.styled(&Style::new().bold(), format!("{number} of {of}  {}", shown.display()));
    for line in one.diff()?.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => Style::new().green(),
            Some(b'-') => Style::new().red(),
            _ => Style::new(),
        };
        output.styled(&style, line);
    }
    output.line("[a]ccept  [r]eject  [s]kip  [q]uit");
    Ok(())
}

/// Reads one key; other keys are ignored.
fn ask(output: &Output) -> Result<Answer, CliError> {
    let failed = |e| CliError::infrastructure("read a key", e);
    loop {
        match Term::stdout().read_key().map_err(failed)? {
            Key::Char('a') => return Ok(Answer::Accept),
            Key::Char('r') => return Ok(Answer::Reject),
            Key::Char('s') => return Ok(Answer::Skip),
            Key::Char('q') | Key::Escape => return Ok(Answer::Quit),
            Key::UnknownEscSeq(_) => {}
            Key::Unknown => return Err(CliError::usage("the terminal was closed")),
            _ => output.line("a, r, s or q"),
        }
    }
}

impl From<SnapshotError> for CliError {
    fn from(error: SnapshotError) -> Self {
        let exit = match error {
            SnapshotError::Io { .. } => Exit::Infrastructure,
            SnapshotError::Format { .. } => Exit::Usage,
        };
        Self::new(exit, error)
    }
}
