//! `e2e shrink`: makes a failing scenario smaller, and writes what is left as a fixture.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::one::{One, OneArgs};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::{Global, whole};
use crate::cli::output::Output;
use crate::cli::shell::word;
use crate::cli::signals::Signals;
use crate::counted::counted;
use crate::e2e::scenario::Fixture;
use crate::e2e::session::{self, Progress, Settings, ShrinkError, Shrinking, Shrunk};
use crate::e2e::verdict::event::RunId;
use crate::whole::write_public;

/// How often it is run at first, unless told otherwise.
const TRIES: u32 = 3;
/// How many runs there are at most, unless told otherwise.
const RUNS: u32 = 500;

/// Arguments of `e2e shrink`.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// How far, and where to.
#[derive(Debug, Args)]
pub struct HowArgs {
    /// How often the scenario is run at first and at the end, to see how often it fails; three times
    /// as often where it does not always fail.
    #[arg(long, value_name = "N", default_value_t = TRIES, value_parser = whole::<u32>(1..=1000))]
    tries: u32,
    /// At most so many runs.
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = whole::<u32>(1..=1_000_000))]
    runs: u32,
    /// The fixture that is written [default: beside the scenario's, as NAME-shrunk.toml].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write it although the file is there already.
    #[arg(long)]
    force: bool,
}

pub async fn run(
    args: &ShrinkArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let shrunk = async {
        let run = args.one.run();
        let looks = |settings: &Settings, fixture: &Fixture, is_copy| {
            target(&args.how, settings, fixture, is_copy, context).map(drop)
        };
        let one = One::find(&run, global, context, output, looks).await?;
        let object = shrink(&args.how, &one, context, output).await?;
        output.object(&object);
        Ok(Exit::Success)
    };
    tokio::select! {
        shrunk = shrunk => shrunk,
        () = signals.first() => Ok(Exit::Interrupted),
    }
}

/// Makes the scenario of a run that failed smaller. The object that is printed under `--json` is the
/// runs'.
pub(super) async fn failed(
    settings: Settings,
    chosen: &[Fixture],
    run: &RunId,
    is_copy: bool,
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let fixture = chosen.iter().find(|fixture| fixture.name == run.scenario);
    let client = settings.clients.iter().find(|client| client.name == run.client);
    let (Some(fixture), Some(client)) = (fixture.cloned(), client.cloned()) else { return Ok(()) };
    let how = HowArgs { tries: TRIES, runs: RUNS, output: None, force: false };
    let one = One { settings, fixture, client, is_copy };
    shrink(&how, &one, context, output).await.map(drop)
}

async fn shrink(
    args: &HowArgs,
    one: &One,
    context: &Context,
    output: &Output,
) -> Result<Value, CliError> {
    let One { settings, fixture, client, is_copy } = one;
    let path = target(args, settings, fixture, *is_copy, context)?;
    output.line(format!("{} [{}]", fixture.name, client.name));
    let mut told = |progress: Progress| match progress {
        Progress::Measured(rate, evidence) => {
            output.line(format!("fails {} of {}: {evidence}", rate.failed, rate.of));
        }
        Progress::Smaller(edits) => edits.iter().for_each(|edit| output.line(format!("  {edit}"))),
    };
    let shrinking = Shrinking { tries: args.tries, runs: args.runs };
    let shrunk = session::shrink(settings, fixture, client, shrinking, &mut told).await?;
    let shown = path.strip_prefix(&context.cwd).unwrap_or(&path).display().to_string();
    let again = again(settings, &path, &client.name);
    let text = commented(&shrunk, fixture, &client.name, again.as_deref());
    write_public(&path, &text)
        .map_err(|error| CliError::infrastructure(&format!("write {shown}"), error))?;
    for ((name, before), (_, after)) in shrunk.before.facts().into_iter().zip(shrunk.after.facts())
    {
        output.line(format!("{name:<10} {before:>7} → {after}"));
    }
    output.line(format!(
        "fails {} of {}: {}",
        shrunk.failed_after.failed, shrunk.failed_after.of, shrunk.said_after
    ));
    output.line(match shrunk.is_smallest {
        true => format!("{}; nothing more can go", counted(shrunk.runs as usize, "run")),
        false => format!("{}, the bound of --runs; more may go", shrunk.runs),
    });
    output.line(format!("written: {shown}"));
    again.iter().for_each(|again| output.line(format!("again: {again}")));
    Ok(json!({ "ok": true, "written": shown, "again": again, "shrunk": shrunk }))
}

/// Where the smaller one goes: never over a file, unless that is asked for.
fn target(
    args: &HowArgs,
    settings: &Settings,
    fixture: &Fixture,
    is_copy: bool,
    context: &Context,
) -> Result<PathBuf, CliError> {
    let path = match &args.output {
        Some(path) => context.absolute(path),
        None if context.ci() => {
            let message = "shrink: CI is set, where nothing is written beside the fixtures";
            return Err(CliError::usage(message).hint("--output FILE says where to write it"));
        }
        None => {
            let own = settings.machine.shown_from.join(&*fixture.source.path);
            let stem = own.file_stem().unwrap_or_default().to_string_lossy();
            let folder = match is_copy {
                // Nothing is written into a copy of what is built in.
                true => context.cwd.clone(),
                false => own.parent().map(Path::to_owned).unwrap_or_default(),
            };
            folder.join(format!("{stem}-shrunk.toml"))
        }
    };
    if path.exists() && !args.force {
        let message = format!("shrink: {} is there already", path.display());
        return Err(CliError::usage(message)
            .hint("--force writes over it, --output FILE writes another file"));
    }
    Ok(path)
}

/// The command that runs it alone, if it is a scenario of the suite where it is.
fn again(settings: &Settings, path: &Path, client: &str) -> Option<String> {
    let fixtures = settings.fixtures.canonicalize().unwrap_or_else(|_| settings.fixtures.clone());
    let folder = path.parent()?.canonicalize().ok()?;
    let inside = folder.strip_prefix(&fixtures).ok()?.join(path.file_stem()?);
    let seed = settings.machine.seed;
    let name = word(inside.display());
    Some(format!("{} {name} --client {client} --seed {seed}", settings.command))
}

/// With what it comes from, and what is shown before and after.
fn commented(shrunk: &Shrunk, from: &Fixture, client: &str, again: Option<&str>) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = vec![
        format!(
            "# Shrunk from {} with client {client} by `mono-demo e2e shrink`.",
            from.source.path
        ),
        "#".to_owned(),
        format!("# It fails by: {}", line(&shrunk.evidence)),
        format!(
            "# before: {} of {} runs; {}; {}",
            shrunk.failed_before.failed,
            shrunk.failed_before.of,
            shrunk.before,
            line(&shrunk.said_before)
        ),
        format!(
            "# after:  {} of {} runs; {}; {}",
            shrunk.failed_after.failed,
            shrunk.failed_after.of,
            shrunk.after,
            line(&shrunk.said_after)
        ),
    ];
    if let Some(again) = again {
        lines.push("#".to_owned());
        lines.push(format!("#     {again}"));
    }
    format!("{}\n\n{}", lines.join("\n"), shrunk.text)
}

impl From<ShrinkError> for CliError {
    fn from(error: ShrinkError) -> Self {
        match error {
            ShrinkError::Passes { .. } => {
                Self::usage(error).hint("--tries N runs it more often; --seed N draws other faults")
            }
            ShrinkError::CannotRun(_) => Self::new(Exit::Infrastructure, error),
            ShrinkError::Read(error) => error.into(),
        }
    }
}
