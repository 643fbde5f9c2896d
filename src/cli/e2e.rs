//! `e2e`: runs the scenarios, each against a broker of its own, with each client.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::args::Global;
use super::connect::{provision_settings, reaper};
use super::context::Context;
use super::driver::spawn_dying_rust;
use super::exit::{CliError, Exit};
use super::fixtures;
use super::output::Output;
use super::parts;
use super::services;
use super::suite::{self, Asked, Suite};
use super::watch::{Touched, Watch};
use crate::e2e::engine::{ContentOf, Machine};
use crate::e2e::fixture::Leaks;
use crate::e2e::report::{Github, Html, Json, Junit, Look, Reporter, Tap, Terminal};
use crate::e2e::schemas::Schemas;
use crate::e2e::{
    self, Again, E2eError, Expression, Filter, Kept, Mode, OnCluster, Settings, Shard,
};
use crate::modules::payment::Sabotage;
use crate::provision;

/// Arguments of `e2e`: what is run, unless a subcommand says to do something else with scenarios.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct E2eArgs {
    #[command(subcommand)]
    command: Option<E2eCommand>,
    #[command(flatten)]
    run: RunArgs,
}

/// What else can be done with scenarios. A scenario of the same name is run by its path.
#[derive(Debug, Subcommand)]
enum E2eCommand {
    /// Make a suite of your own, with a service in Python and a scenario, that runs green at once.
    New(super::new::NewArgs),
    /// Write fixtures in their one form; what they say stays, and so do comments.
    Fmt(fixtures::FmtArgs),
    /// Print the JSON Schema of fixtures, for editors.
    Schema,
    /// Walk through changed transcripts, and accept or reject each.
    Review(super::review::ReviewArgs),
}

/// Arguments of a run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A suite's folder, fixtures or folders of them, or names of scenarios and parts of names
    /// [default: all].
    #[arg(value_name = "PATH|NAME")]
    names: Vec<String>,
    /// Only scenarios with this tag; may be given several times.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only runs for which this holds, of tag(T), name(PART|FOLDER/|PATTERN), client(C), and, or, not,
    /// and parentheses: 'tag(fault) and not client(go)'.
    #[arg(short = 'E', long, value_name = "EXPRESSION")]
    filter: Option<Expression>,
    /// Only this part of the scenarios, as 1/4: to spread them over several machines.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Only this client: rust, python, node, go, rust-pipe, or one of your suite's; may be given
    /// several times [default: all that this machine has the tools for].
    #[arg(long, value_name = "CLIENT")]
    pub client: Vec<String>,
    /// Clients that must be there, as rust,python,node,go: without one of them nothing is run.
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',')]
    pub require: Vec<String>,
    /// The folder of scenarios [default: fixtures, else the built-in ones].
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Show the scenarios and run none.
    #[arg(long)]
    pub list: bool,
    /// Write the golden transcripts; read them before you commit them.
    #[arg(long, conflicts_with = "ci")]
    update: bool,
    /// Write into each fixture what its steps came to, where it does not say yet what is expected of
    /// them; each scenario is run twice, and what differs becomes a matcher.
    #[arg(long, conflicts_with_all = ["ci", "update", "retries", "repeat", "report", "sabotage", "list"])]
    record: bool,
    /// Write nothing [default: where CI is set].
    #[arg(long)]
    ci: bool,
    /// Begin no run after the first that does not pass.
    #[arg(long)]
    fail_fast: bool,
    /// Run what did not pass up to N times more; what passes then is reported as flaky, not as passed.
    #[arg(long, value_name = "N", conflicts_with_all = ["update", "repeat"])]
    retries: Option<u32>,
    /// Do every run N times, to find out what does not always pass.
    #[arg(long, value_name = "N", conflicts_with = "update",
          value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Run every scenario on a cluster of N servers, with three copies of each stream; one that
    /// cannot is skipped, with the reason.
    #[arg(long, value_name = "N", conflicts_with = "update",
          value_parser = clap::value_parser!(u16).range(3..=5))]
    cluster: Option<u16>,
    /// How many runs at a time [default: as many as there are cores].
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// What becomes of a run that leaves something behind at the broker, where its fixture does not
    /// say: fail, report or ignore.
    #[arg(long, value_name = "HOW", default_value = "report", hide_default_value = true)]
    leaks: Leaks,
    /// For whatever is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Also write a report: html=PATH, junit=PATH, json=PATH or tap=PATH; may be given several times.
    #[arg(long, value_name = "KIND=PATH", value_parser = report)]
    report: Vec<(ReportKind, PathBuf)>,
    /// Keep the history of each run in this folder, as payment/happy-path.rust.jsonl;
    /// `mono-demo history check` judges it again.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// Test the tests: let the workers break their promises, which must turn scenarios red.
    #[arg(long, value_name = "HOW")]
    pub sabotage: Option<Sabotage>,
    /// Run again what a change of a file touches, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["update", "ci", "list"])]
    watch: bool,
    /// No line for a run that passed.
    #[arg(short, long)]
    quiet: bool,
    /// Under each run, what its history says in numbers [default: where a scenario is about them].
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Debug, Clone, Copy)]
enum ReportKind {
    Html,
    Junit,
    Json,
    Tap,
}

fn report(text: &str) -> Result<(ReportKind, PathBuf), String> {
    let expected = || "expected html=PATH, junit=PATH, json=PATH or tap=PATH".to_owned();
    let (kind, path) =
        text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
    let kind = match kind {
        "html" => ReportKind::Html,
        "junit" => ReportKind::Junit,
        "json" => ReportKind::Json,
        "tap" => ReportKind::Tap,
        _ => return Err(expected()),
    };
    Ok((kind, path.into()))
}

pub async fn run(
    args: E2eArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    match args.command {
        None if args.run.watch => watch(args.run, global, context, output).await,
        None => once(&args.run, None, global, context, output).await,
        Some(E2eCommand::New(args)) => super::new::run(&args, context, output),
        Some(E2eCommand::Fmt(args)) => fixtures::fmt(&args, context, output),
        Some(E2eCommand::Schema) => Ok(fixtures::schema(output)),
        Some(E2eCommand::Review(args)) => super::review::run(&args, context, output),
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
    let suite = suite::find(asked(&args), &tools, context, output).await?;
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
            Touched::Files(files) => Some(files),
        };
    }
}

/// Runs what is chosen, and of that only what is named here.
async fn once(
    args: &RunArgs,
    only: Option<BTreeSet<PathBuf>>,
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

async fn settings(
    args: &RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Settings, CliError> {
    let tools = provision_settings(&global.tools, context);
    let Suite { fixtures, root, built_in, own } =
        suite::find(asked(args), &tools, context, output).await?;
    let names = suite::names(asked(args), &fixtures, &root, context)?;
    if built_in && args.update {
        return Err(CliError::usage("--update: the built-in scenarios cannot be changed here")
            .hint("name a folder of your own with --fixtures"));
    }
    if context.ci() && args.update {
        return Err(CliError::usage("--update: CI is set, and there nothing is written")
            .hint("run it on your own machine, read what it wrote, and commit that"));
    }
    let progress = |line: &str| output.note(line);
    if args.record && (built_in || context.ci()) {
        let why = if built_in {
            "the built-in scenarios cannot be changed here"
        } else {
            "CI is set, where nothing is written"
        };
        return Err(CliError::usage(format!("--record: {why}")));
    }
    let server = provision::nats_server(&tools, &progress).await?;
    let parts = match own {
        Some(own) => parts::of_own(&own, args, &root, &tools, output).await?,
        None => parts::of_built_in(args, &root, &tools, context, output).await?,
    };
    let mut command = "mono-demo e2e".to_owned();
    if let Ok(below) = root.strip_prefix(&context.cwd)
        && !below.as_os_str().is_empty()
        && !built_in
    {
        command.push_str(&format!(" {}", below.display()));
    }
    if let Some(nodes) = args.cluster {
        command.push_str(&format!(" --cluster {nodes}"));
    }
    if args.leaks == Leaks::Fail {
        command.push_str(" --leaks fail");
    }
    Ok(Settings {
        fixtures,
        filter: Filter {
            names,
            tags: args.tag.clone(),
            expression: args.filter.clone(),
            shard: args.shard,
            only: None,
        },
        clients: parts.clients,
        known_clients: parts.known_clients,
        known_services: parts.known_services,
        schemas: Schemas::new(&root, parts.contract),
        jobs: args.jobs,
        mode: match args {
            RunArgs { update: true, .. } => Mode::Update,
            RunArgs { ci: true, .. } => Mode::Ci,
            _ if built_in => Mode::Ci,
            _ if context.ci() => Mode::Ci,
            _ => Mode::Compare,
        },
        fail_fast: args.fail_fast,
        again: match (args.repeat, args.retries) {
            (Some(rounds), _) => Again::Rounds(rounds),
            (None, Some(retries)) => Again::Retries(retries),
            (None, None) => Again::Never,
        },
        cluster: args.cluster.map(|nodes| OnCluster {
            nodes: usize::from(nodes),
            services: services::on_a_cluster(),
        }),
        machine: Machine {
            server,
            reaper: reaper(context),
            run_root: context.temp.clone(),
            services: parts.services,
            roles: parts.roles,
            variables: parts.variables,
            root,
            seed: args.seed,
            histories: histories(args, context)?,
            contents: parts.payments.then(|| Arc::new(services::payment_content) as ContentOf),
            dying_client: parts.payments.then(|| spawn_dying_rust(context)),
            leaks: args.leaks,
            leaders: parts.leaders,
            redact: parts.redact,
        },
        validate_services: parts.validate,
        command,
    })
}

/// What the arguments say of which suite.
fn asked(args: &RunArgs) -> Asked<'_> {
    Asked { names: &args.names, fixtures: args.fixtures.as_deref() }
}

/// Opened before anything is run, unless nothing will be.
fn histories(args: &RunArgs, context: &Context) -> Result<Option<Arc<Kept>>, CliError> {
    let Some(folder) = args.history.as_ref().filter(|_| !args.list) else { return Ok(None) };
    let kept = Kept::open(&context.absolute(folder))
        .map_err(|error| CliError::usage(format!("--history {}: {error}", folder.display())))?;
    Ok(Some(Arc::new(kept)))
}

impl From<E2eError> for CliError {
    fn from(error: E2eError) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Infrastructure };
        Self { hint: error.hint(), ..Self::new(exit, error) }
    }
}
