//! `audit`: are streams and gateway journal of one mind?

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::connect::Session;
use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::runtime_file;
use crate::broker::Role;
use crate::modules::payment::audit;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The folder of the gateway's journal [default: that of the running `serve`].
    #[arg(long, value_name = "DIR")]
    journal_dir: Option<PathBuf>,
}

pub async fn run(
    args: AuditArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let session = Session::open(Role::Harness, global, context, output).await?;
    let name = session.connection.client().server_info().server_name;
    let of_serve = || {
        let runtime = runtime_file::read(context)?;
        (runtime.name == name).then_some(runtime.journals)
    };
    let journals = args.journal_dir.as_ref().map(|p| context.absolute(p)).or_else(of_serve);
    let journal = journals.map(|folder| folder.join("gateway.jsonl"));
    let result = audit(&session.connection, journal.as_deref()).await;
    session.close().await;
    let found = result.map_err(|e| CliError::new(Exit::Infrastructure, e))?;
    output.line(format!(
        "{} waiting, {} claims, {} completed, {} failed, {} without an outcome yet",
        found.waiting,
        found.claims,
        found.completed,
        found.failed,
        found.open.len()
    ));
    match found.charges {
        Some(charges) => output.line(format!("{charges} charges in the gateway's journal")),
        None => output.note(
            "note: without the gateway's journal (--journal-dir DIR) charges are not compared",
        ),
    }
    for problem in &found.problems {
        output.line(format!("PROBLEM  {problem}"));
    }
    output.object(&json!({ "ok": found.problems.is_empty(), "audit": found }));
    if found.problems.is_empty() {
        output.line("consistent");
        return Ok(Exit::Success);
    }
    Ok(Exit::Mismatch)
}
