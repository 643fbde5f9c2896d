//! `history`: judges histories that `e2e --history DIR` kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::duration;
use super::output::{Output, printable};
use crate::e2e::record::history::History;
use crate::e2e::verdict;
use crate::e2e::verdict::promised::Declared;
use crate::e2e::verdict::promises::Promises;
use crate::e2e::verdict::{Policy, QueueLoss, Report};
use crate::proof::Proof;

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// Check every promise in histories: valid, invalid with the smallest evidence, or unknown.
    ///
    /// Exits with 0 if all are valid, 1 if one is invalid, 3 if the verdict on one is unknown, 2 if
    /// one is no history.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Histories, or folders of them.
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Everything must be final within this time after the last fault.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    final_within: Option<Duration>,
    /// No message of a queue group may be lost, although core NATS allows it.
    #[arg(long)]
    no_queue_loss: bool,
}

pub fn run(args: HistoryArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    let HistoryCommand::Check(args) = args.command;
    let policy = Policy {
        queue_loss: if args.no_queue_loss { QueueLoss::Forbidden } else { QueueLoss::Counted },
        final_within: args.final_within,
    };
    let mut judged = Vec::new();
    for file in files(&args.paths, context)? {
        let shown = file.strip_prefix(&context.cwd).unwrap_or(&file).display().to_string();
        let history = History::open(&file)
            .map_err(|error| CliError::usage(format!("history check: {shown}: {error}")))?;
        let oracles: [Arc<dyn Promises>; 2] = [Arc::new(Proof::default()), Arc::new(Declared)];
        let report = verdict::check(&history, policy, &oracles)
            .map_err(|error| CliError::usage(format!("history check: {shown}: {error}")))?;
        let broken = report.broken().join(", ");
        let broken = if broken.is_empty() { broken } else { format!(": {broken}") };
        output.line(printable(&format!("{shown}: {}{broken}", report.word())));
        for line in report.to_string().lines() {
            output.line(printable(&format!("  {line}")));
        }
        judged.push((shown, report));
    }
    let list: Vec<_> = judged
        .iter()
        .map(|(file, report)| {
            json!({
                "file": file,
                "verdict": report.word(),
                "findings": report.findings,
                "figures": report.figures,
            })
        })
        .collect();
    let all =
        |word: &str| judged.iter().any(|(_, report): &(String, Report)| report.word() == word);
    let exit = match () {
        () if all("invalid") => Exit::Mismatch,
        () if all("unknown") => Exit::Infrastructure,
        () => Exit::Success,
    };
    output.object(&json!({ "ok": exit == Exit::Success, "histories": list }));
    Ok(exit)
}

/// The files that are named, and all `.jsonl` below the folders, in the order of their names.
fn files(paths: &[PathBuf], context: &Context) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        let path = context.absolute(path);
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        let before = found.len();
        below(&path, &mut found).map_err(|error| {
            CliError::usage(format!("history check: read {}: {error}", path.display()))
        })?;
        if found.len() == before {
            let message = format!("history check: {} has no .jsonl files", path.display());
            return Err(CliError::usage(message).hint("`mono-demo e2e --history DIR` keeps them"));
        }
        found[before..].sort();
    }
    Ok(found)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            below(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            found.push(path);
        }
    }
    Ok(())
}
