//! `audit`: compares the streams of payments with each other and with the gateway's journal.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::brokers::{Brokers, Wanted};
use super::connect::{Session, named_target};
use super::context::Context;
use super::contexts::of_role;
use super::exit::{CliError, Exit};
use super::global::Global;
use super::output::Output;
use super::running;
use super::shell::word;
use super::signals::from_here_on;
use crate::broker::{Port, Role, StartError, Store, is_of_cluster};
use crate::counted::counted;
use crate::modules::payment::{Audit, AuditError, Outside, audit};
use crate::mono::Connection;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The folder of the gateway's journal [default: that of the running `serve`, or of --store-dir].
    #[arg(long, value_name = "DIR")]
    journal_dir: Option<PathBuf>,
    /// Audit the store of a `serve` that does not run: starts a broker on it, and no service.
    #[arg(long, value_name = "DIR")]
    store_dir: Option<PathBuf>,
}

pub async fn run(
    args: AuditArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    from_here_on().await;
    let found = match &args.store_dir {
        None => running(&args, global, context, output).await?,
        Some(folder) => {
            if named_target(&global.connection, context)?.is_some() {
                return Err(CliError::usage(
                    "audit: --store-dir starts its own broker, and a server is named",
                ));
            }
            let folder = context.absolute(folder);
            at_rest(&args, &folder, global, context, output).await?
        }
    };
    Ok(tell(&found, output))
}

/// Audits the streams of a running server.
async fn running(
    args: &AuditArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Audit, CliError> {
    let session = Session::open_there("audit", Role::Harness, global, context, output).await?;
    let name = session.connection.client().server_info().server_name;
    let of_serve = || running::of_server(&name, context).map(|runtime| runtime.journals);
    let journals = args.journal_dir.as_ref().map(|p| context.absolute(p)).or_else(of_serve);
    let outside = journals.as_deref().map(Outside::in_folder).unwrap_or_default();
    let result = session.doing("audit", audit(&session.connection, &outside), context).await;
    session.close().await;
    result
}

/// Audits a store that no server uses.
async fn at_rest(
    args: &AuditArgs,
    folder: &Path,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Audit, CliError> {
    let refuse = |what: &str| Err(CliError::usage(format!("audit: {} {what}", folder.display())));
    let is_of_cluster = match is_of_cluster(folder) {
        Err(StartError::Prepare { path, source, .. }) => {
            return refuse(&format!("cannot be read: {}: {source}", path.display()));
        }
        found => found?,
    };
    if is_of_cluster {
        return refuse("is the store of a cluster: start `serve --cluster`, and audit that");
    }
    match std::fs::metadata(folder.join("jetstream")) {
        Ok(found) if found.is_dir() => {}
        // What this user may not look into may be one all the same.
        Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return refuse(&format!("cannot be read: {e}"));
        }
        _ => return refuse("is not the store of a broker: it has no folder `jetstream`"),
    }
    let store = Store::Folder(folder.to_owned());
    // It is there for a moment, and for nobody else.
    let wanted = Wanted {
        nodes: 1,
        port: Some(Port::Any),
        store,
        auth: true,
        clients: Vec::new(),
        tls: None,
    };
    let broker = Brokers::start(&wanted, &global.tools, context, output).await;
    let broker = broker.map_err(|error| match asks_the_serve_on(folder, context) {
        Some(command) => error.hint(format!("a `serve` runs on it, and can be asked: `{command}`")),
        None => error,
    })?;
    for warning in broker.warnings() {
        output.note(format!("nats-server: {warning}"));
    }
    let connection = Connection::open(&broker.target(Role::Harness), "mono-demo audit").await?;
    let journals = args.journal_dir.as_ref().map(|p| context.absolute(p));
    let outside = Outside::in_folder(&journals.unwrap_or_else(|| folder.join("journals")));
    let result = audit(&connection, &outside).await;
    connection.close(Duration::from_secs(2)).await;
    broker.stop().await?;
    Ok(result?)
}

/// How to audit a store that a `serve` of this user runs on.
fn asks_the_serve_on(folder: &Path, context: &Context) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let on_it = |runtime: &running::Runtime| runtime.journals.starts_with(&folder);
    let serve = running::living(context).into_iter().find(on_it)?;
    let how = match serve.contexts {
        Some(contexts) => {
            format!("--context {}", word(of_role(&contexts, Role::Harness).display()))
        }
        None => format!("--server {}", serve.url),
    };
    Some(format!("mono-demo audit {how}"))
}

fn tell(found: &Audit, output: &Output) -> Exit {
    output.line(format!(
        "{} waiting, {}, {} completed, {} failed, {} without an outcome yet",
        found.waiting,
        counted(found.claims, "claim"),
        found.completed,
        found.failed,
        found.open.len()
    ));
    match found.charges {
        Some(charges) => {
            output.line(format!("{} in the gateway's journal", counted(charges, "charge")));
        }
        None => output.note(
            "note: without the gateway's journal (--journal-dir DIR) charges are not compared",
        ),
    }
    for notes in [&found.unreadable, &found.unused] {
        for line in of_each_kind("NOTE     ", notes) {
            output.line(line);
        }
    }
    for line in of_each_kind("PROBLEM  ", &found.problems) {
        output.line(line);
    }
    output.object(&json!({ "ok": found.problems.is_empty(), "audit": found }));
    if found.problems.is_empty() {
        output.line("consistent");
        return Exit::Success;
    }
    Exit::Mismatch
}

/// Findings for people: the first few of each kind.
fn of_each_kind(word: &str, problems: &[String]) -> Vec<String> {
    const SHOWN: usize = 5;
    // What stands between backticks differs from case to case.
    let kind = |problem: &str| problem.split('`').step_by(2).collect::<String>();
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for problem in problems {
        let kind = kind(problem);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, of_it)) => of_it.push(problem),
            None => kinds.push((kind, vec![problem])),
        }
    }
    let mut lines = Vec::new();
    for (_, of_it) in kinds {
        lines.extend(of_it.iter().take(SHOWN).map(|problem| format!("{word}{problem}")));
        if let Some(more) = of_it.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            lines.push(format!("{word}… and {more} more of this kind; --json lists all"));
        }
    }
    lines
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        Self { hint: error.hint(), ..Self::new(Exit::Infrastructure, error) }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_many_problems_of_a_kind_a_few_are_shown() {
        let mut problems: Vec<String> =
            (0..7).map(|n| format!("payment `p-{n}` is lost")).collect();
        problems.insert(3, "stream `s` does not exist".to_owned());
        let lines = super::of_each_kind("PROBLEM  ", &problems);
        assert_eq!(lines.len(), 7, "{lines:?}");
        assert_eq!(lines[5], "PROBLEM  … and 2 more of this kind; --json lists all");
        assert_eq!(lines[6], "PROBLEM  stream `s` does not exist");
    }
}
