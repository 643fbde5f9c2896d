//! Does what was asked: once, or again and again.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::arguments::{E2eArgs, E2eCommand, ReportKind, RunArgs};
use super::settings::settings;
use crate::cli::args::Global;
use crate::cli::connect::provision_settings;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::watch::{Touched, Watch};
use crate::cli::{fixtures, new, review, suite};
use crate::e2e::report::{Github, Html, Json, Junit, Look, Reporter, Tap, Terminal};
use crate::e2e::{self, E2eError, Mode, Settings};

pub async fn run(
    args: E2eArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    match args.command {
        None if args.run.watch => watch(args.run, global, context, output).await,
        None => once(&args.run, None, global, context, output).await,
        Some(E2eCommand::New(args)) => new::run(&args, context, output),
        Some(E2eCommand::Fmt(args)) => fixtures::fmt(&args, context, output),
        Some(E2eCommand::Schema) => Ok(fixtures::schema(output)),
        Some(E2eCommand::Review(args)) => review::run(&args, context, output),
    }
}

/// Runs what is chosen, then what each change touches.
async fn watch(
    args: RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let failed = |e: String| CliError::infrastructure("watch the suite's files", e);
    let tools = provision_settings(&global.tools, context);
    let suite = suite::find(args.asked(), &tools, context, output).await?;
    if suite.built_in {
        return Err(CliError::usage("--watch: the built-in scenarios do not change"));
    }
    // From before the first run, so that no change is missed.
    let mut changes = Watch::start(&suite.root, &suite.fixtures).map_err(failed)?;
    let mut only = None;
    loop {
        match once(&args, only, global, context, output).await {
            Ok(Exit::Interrupted) => return Ok(Exit::Success),
            Ok(_) => {}
            // A slip in a fixture is what the next change mends.
            Err(error) => output.error(&error),
        }
        output.note("watching for changes; Ctrl-C ends");
        let touched = tokio::select! {
            touched = changes.next() => touched.map_err(failed)?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Success),
        };
        only = match touched {
            Touched::All => None,
            Touched::Scenarios(names) => Some(names),
        };
    }
}

/// Runs what is chosen, and of that only what is named here.
async fn once(
    args: &RunArgs,
    only: Option<BTreeSet<String>>,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let mut settings = settings(args, global, context, output).await?;
    settings.filter.only = only;
    if args.list {
        return list(&settings, output);
    }
    let mut github = context.github_workspace().map(|workspace| {
        let root = settings.machine.root.strip_prefix(&workspace).unwrap_or(&settings.machine.root);
        Github::new(output.annotations(), root)
    });
    // A bad path of a report, or a bad fixture, costs no run.
    let chosen = e2e::chosen(&settings);
    if let (Err(E2eError::Fixtures(errors)), Some(github)) = (&chosen, &mut github) {
        // The error itself is told below.
        let _ = github.mistakes(errors);
    }
    let chosen = chosen?;
    if args.record {
        return tokio::select! {
            recorded = fixtures::record(&settings, &chosen, output) => recorded,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        };
    }
    let chosen = chosen.len();
    let mut files = reports(args, context)?;
    let look = Look {
        color: context.colour(context.stdout_tty),
        progress: output.draws() && !output.json && !context.ci(),
        quiet: args.quiet,
        verbose: args.verbose,
    };
    let mut terminal = Terminal::new(output.writer(), look);
    let mut reporters: Vec<&mut dyn Reporter> = Vec::new();
    reporters.extend(github.as_mut().map(|github| github as &mut dyn Reporter));
    reporters.push(&mut terminal);
    reporters.extend(files.iter_mut().map(|file| &mut **file as &mut dyn Reporter));
    let summary = tokio::select! {
        summary = e2e::run(&settings, &mut reporters) => summary?,
        // Dropping the run ends every process and removes every folder.
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
    };
    if settings.mode == Mode::Ci && chosen > 0 && summary.runs == 0 && summary.not_run == 0 {
        let message = "nothing was run: none of the clients of these scenarios is here";
        return Err(CliError::new(Exit::Infrastructure, message).hint(
            "`mono-demo doctor` shows what is missing; --client chooses among what is there",
        ));
    }
    output.object(&serde_json::json!({ "ok": summary.is_ok(), "summary": summary }));
    Ok(match summary {
        summary if summary.broken > 0 => Exit::Infrastructure,
        summary if summary.is_ok() => Exit::Success,
        _ => Exit::Mismatch,
    })
}

fn list(settings: &Settings, output: &Output) -> Result<Exit, CliError> {
    let chosen = e2e::chosen(settings)?;
    let width = chosen.iter().map(|fixture| fixture.name.as_str().len()).max().unwrap_or(0);
    for fixture in &chosen {
        output.line(format!("{:<width$}  {}", fixture.name, fixture.description));
    }
    let scenarios: Vec<_> = chosen
        .iter()
        .map(|fixture| {
            let clients: Vec<_> = e2e::clients_of(settings, fixture).map(|c| &c.name).collect();
            serde_json::json!({
                "name": fixture.name,
                "description": fixture.description,
                "tags": fixture.tags,
                "clients": clients,
            })
        })
        .collect();
    output.object(&serde_json::json!({ "ok": true, "scenarios": scenarios }));
    Ok(Exit::Success)
}

fn reports(args: &RunArgs, context: &Context) -> Result<Vec<Box<dyn Reporter>>, CliError> {
    let open = |(kind, path): &(ReportKind, PathBuf)| -> io::Result<Box<dyn Reporter>> {
        let path = context.absolute(path);
        Ok(match kind {
            ReportKind::Html => Box::new(Html::create(&path)?),
            ReportKind::Junit => Box::new(Junit::create(&path)?),
            ReportKind::Json => Box::new(Json::create(&path)?),
            ReportKind::Tap => Box::new(Tap::create(&path)?),
        })
    };
    let named = |report: &(ReportKind, PathBuf)| {
        open(report)
            .map_err(|error| CliError::usage(format!("--report {}: {error}", report.1.display())))
    };
    args.report.iter().map(named).collect()
}

impl From<E2eError> for CliError {
    fn from(error: E2eError) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Infrastructure };
        Self { hint: error.hint(), ..Self::new(exit, error) }
    }
}
