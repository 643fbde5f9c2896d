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
use crate::whole;

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
    let run = args.one.run();
    let looks = |settings: &Settings, fixture: &Fixture, is_copy| {
        target(&args.how, settings, fixture, is_copy, context).map(drop)
    };
    let one = tokio::select! {
        one = One::find(&run, global, context, output, looks) => one?,
        () = signals.first() => return Ok(Exit::Interrupted),
    };
    let shrunk = shrink(&args.how, &one, context, output, signals.first()).await;
    let Some((object, exit)) = shrunk? else { return Ok(Exit::Interrupted) };
    output.object(&object);
    Ok(exit)
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
    stop: impl Future<Output = ()>,
) -> Result<Exit, CliError> {
    let fixture = chosen.iter().find(|fixture| fixture.name == run.scenario);
    let client = settings.clients.iter().find(|client| client.name == run.client);
    let (Some(fixture), Some(client)) = (fixture.cloned(), client.cloned()) else {
        return Ok(Exit::Success);
    };
    let how = HowArgs { tries: TRIES, runs: RUNS, output: None, force: false };
    let one = One { settings, fixture, client, is_copy };
    let shrunk = shrink(&how, &one, context, output, stop).await?;
    Ok(shrunk.map_or(Exit::Interrupted, |(_, exit)| exit))
}

/// What is printed under `--json`, and the exit code; `None` where it was stopped before there was
/// anything to write.
async fn shrink(
    args: &HowArgs,
    one: &One,
    context: &Context,
    output: &Output,
    stop: impl Future<Output = ()>,
) -> Result<Option<(Value, Exit)>, CliError> {
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
    let shrunk = session::shrink(settings, fixture, client, shrinking, stop, &mut told).await;
    let shrunk = match shrunk {
        Err(stopped @ ShrinkError::Stopped) => {
            output.note(stopped);
            return Ok(None);
        }
        shrunk => shrunk?,
    };
    let shown = path.strip_prefix(&context.cwd).unwrap_or(&path).display().to_string();
    let again = again(settings, &path, &client.name);
    let text = commented(&shrunk, fixture, &client.name, again.as_deref());
    // Somebody else may have made one meanwhile.
    let written =
        if args.force { whole::write_public(&path, &text) } else { whole::write_new(&path, &text) };
    written.map_err(|error| {
        // It took many runs: it is not lost.
        output.line(text.trim_end());
        CliError::infrastructure(&format!("write {shown}"), error)
    })?;
    for ((name, before), (_, after)) in shrunk.before.facts().into_iter().zip(shrunk.after.facts())
    {
        output.line(format!("{name:<10} {before:>7} → {after}"));
    }
    output.line(format!("{}: {}", how_often(&shrunk), shrunk.said_after));
    let runs = counted(shrunk.runs as usize, "run");
    output.line(match (shrunk.is_smallest, shrunk.is_stopped) {
        (_, true) => format!("{runs}; stopped, and more may go"),
        (true, _) => format!("{runs}; nothing more can go"),
        _ => format!("{}, the bound of --runs; more may go", shrunk.runs),
    });
    output.line(format!("written: {shown}"));
    again.iter().for_each(|again| output.line(format!("again: {again}")));
    let exit = if shrunk.is_stopped { Exit::Interrupted } else { Exit::Success };
    let (often, ok) = (shrunk.compared(), !shrunk.is_stopped);
    let object =
        json!({ "ok": ok, "written": shown, "again": again, "compared": often, "shrunk": shrunk });
    Ok(Some((object, exit)))
}

/// `fails 3 of 9, more rarely than the whole (9 of 9)`.
fn how_often(shrunk: &Shrunk) -> String {
    let before = shrunk.failed_before;
    match (shrunk.failed_after, shrunk.compared()) {
        (Some(after), Some(compared)) => {
            let whole = format!("{} of {}", before.failed, before.of);
            format!("fails {} of {}, {compared} ({whole})", after.failed, after.of)
        }
        _ => "how often it fails was not measured".to_owned(),
    }
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
    // Known before anything is run.
    whole::try_public(&path).map_err(|error| {
        CliError::usage(format!("shrink: cannot write {}: {error}", path.display()))
    })?;
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
            "# after:  {}; {}; {}",
            match shrunk.failed_after {
                Some(rate) => format!("{} of {} runs", rate.failed, rate.of),
                None => "not measured".to_owned(),
            },
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
            ShrinkError::Stopped => Self::new(Exit::Interrupted, error),
        }
    }
}
