//! Runs the chosen scenarios once, and tells everybody who is to be told.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use serde_json::json;

use super::arguments::{ReportKind, RunArgs};
use super::elsewhere;
use super::kept::{self, Kept};
use super::last_failed::LastFailed;
use super::settings::Plan;
use super::shrink;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::fixtures;
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::counted::counted;
use crate::e2e::report::{Aloud, Github, Html, Json, Junit, Look, Reporter, Tap, Terminal};
use crate::e2e::scenario::Fixture;
use crate::e2e::session::{self, E2eError, Fixtures, LeftUp, Mode, Settings, pending};
use crate::e2e::verdict::event::{Event, RunId, Summary, Verdict};

/// Runs what is chosen, and of that only what is named here; `beside` is told as well, and then it is
/// the caller who prints the object of `--json`.
pub(super) async fn once(
    args: &RunArgs,
    only: Option<BTreeSet<PathBuf>>,
    beside: Option<&mut dyn Reporter>,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    // From here on a signal is an orderly end, also while things are still prepared.
    let mut signals = Signals::listen()?;
    let named = async {
        let mut plan = Plan::find(args, only, global, context, output).await?;
        let by_name = plan.by_name().await?;
        plan.something_failed()?;
        Ok::<_, CliError>((plan, by_name))
    };
    let (plan, by_name) = tokio::select! {
        named = named => named?,
        () = signals.first() => return Ok(Exit::Interrupted),
    };
    let mut github = context.github_workspace().map(|workspace| {
        let shown_from = &by_name.machine.shown_from;
        let root = shown_from.strip_prefix(&workspace).unwrap_or(shown_from);
        Github::new(output.asides(), root)
    });
    // A slip in a name, or a bad fixture, is told before anything is prepared.
    let chosen = session::chosen(&by_name);
    if let (Err(E2eError::Fixtures(errors)), Some(github)) = (&chosen, &mut github) {
        // The error itself is told below.
        let _ = github.mistakes(errors);
    }
    let Fixtures { fixtures: chosen, passed_over } = chosen.map_err(|error| plan.meant(error))?;
    if !passed_over.is_empty() {
        let fixtures = counted(passed_over.len(), "other fixture");
        let has =
            if passed_over.len() == 1 { "has mistakes, and is" } else { "have mistakes, and are" };
        let names = passed_over.join(", ");
        output.note(format!(
            "note: {fixtures} of this suite {has} not chosen: {names}; a run of all shows them"
        ));
    }
    if args.list || args.record {
        // A run says it in its report.
        output.note(format!("suite {}", by_name.invocation.suite));
    }
    if args.list {
        list(&by_name, &chosen, output);
        return Ok(Exit::Success);
    }
    let prepared = async {
        elsewhere::answer(&chosen, args).await?;
        plan.prepared().await
    };
    let settings = tokio::select! {
        prepared = prepared => prepared?,
        () = signals.first() => return Ok(Exit::Interrupted),
    };
    if args.record {
        return tokio::select! {
            recorded = fixtures::record(&settings, &chosen, output) => recorded,
            () = signals.first() => Ok(Exit::Interrupted),
        };
    }
    // A bad path of a report costs no run.
    let mut files = reports(args, context)?;
    let look = Look {
        color: context.colour(context.stdout_tty),
        progress: output.draws() && !output.json && !context.ci(),
        ascii: !context.utf8(),
        quiet: args.quiet,
        verbose: args.verbose,
        durations: args.durations,
    };
    let mut terminal = Terminal::new(output.writer(), look);
    let mut reporters: Vec<&mut dyn Reporter> = Vec::new();
    reporters.extend(github.as_mut().map(|github| github as &mut dyn Reporter));
    reporters.push(&mut terminal);
    // What the report for people would show, where there is none.
    let stderr_color = context.colour(context.stderr_tty);
    let mut aloud = output.json.then(|| Aloud::new(output.asides(), stderr_color));
    reporters.extend(aloud.as_mut().map(|aloud| aloud as &mut dyn Reporter));
    reporters.extend(files.iter_mut().map(|file| &mut **file as &mut dyn Reporter));
    let mut last_failed = LastFailed::of(plan.fixtures(), context);
    // In CI nobody comes back, and a worker that misbehaves on purpose says nothing of the suite.
    let is_kept = !context.ci() && args.sabotage.is_none();
    if is_kept {
        reporters.push(&mut last_failed);
    }
    let mut failed = Failed::default();
    reporters.push(&mut failed);
    let is_alone = beside.is_none();
    reporters.extend(beside.map(|beside| beside as &mut dyn Reporter));
    let (summary, left_up) = match args.keep {
        true => session::run_and_leave_up(&settings, &mut reporters, signals.first()).await?,
        false => (session::run(&settings, &mut reporters, signals.first()).await?, None),
    };
    drop(reporters);
    if is_kept {
        let names = || session::names(&by_name).ok();
        last_failed.write(names).unwrap_or_else(|why| output.note(format!("note: {why}")));
    }
    let exit = match exit(&settings, &summary, output) {
        Ok(exit) => exit,
        // What the runs came to is told too.
        Err(error) if is_alone => {
            let why = error.object();
            output.object(&json!({ "ok": false, "error": why, "summary": summary }));
            output.complain(&error);
            return Ok(error.exit);
        }
        Err(error) => return Err(error),
    };
    if args.keep {
        return keep(&settings, (&summary, exit), left_up, &mut signals, output).await;
    }
    if is_alone {
        output.object(&json!({ "ok": summary.is_ok(), "summary": summary }));
    }
    what_is_left_to_do(&settings, output);
    if let Some(run) = failed.first.filter(|_| args.shrink && exit != Exit::Interrupted) {
        let (is_copy, stop) = (plan.is_copy(), signals.first());
        match shrink::failed(settings, &chosen, &run, is_copy, context, output, stop).await {
            Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
            Ok(_) => {}
            Err(error) => output.note(format!("{run} is not made smaller: {error}")),
        }
    }
    Ok(exit)
}

/// Why this suite has nothing to run, if so; nothing is prepared.
///
/// # Errors
/// A slip in the arguments, or a bad fixture.
pub(super) async fn nothing_to_run(
    args: &RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Option<CliError>, CliError> {
    let mut plan = Plan::find(args, None, global, context, output).await?;
    let by_name = plan.by_name().await?;
    if let Err(why) = plan.something_failed() {
        return Ok(Some(why));
    }
    match session::chosen(&by_name) {
        Ok(_) => Ok(None),
        Err(error @ E2eError::NothingChosen { is_all: true, .. }) => Ok(Some(plan.meant(error))),
        Err(error) => Err(plan.meant(error)),
    }
}

/// Remembers the first run in which something differs.
#[derive(Default)]
struct Failed {
    first: Option<RunId>,
}

impl Reporter for Failed {
    fn name(&self) -> String {
        "the first failed run".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::RunFinished(report) = event
            && matches!(report.verdict, Verdict::Failed(_) | Verdict::Flaky { .. })
        {
            self.first.get_or_insert_with(|| report.run.clone());
        }
        Ok(())
    }
}

/// Leaves up what there is to be looked at, until it was looked at.
async fn keep(
    settings: &Settings,
    (summary, exit): (&Summary, Exit),
    left_up: Option<LeftUp>,
    signals: &mut Signals,
    output: &Output,
) -> Result<Exit, CliError> {
    if exit == Exit::Interrupted {
        output.object(&json!({ "ok": false, "summary": summary }));
        return Ok(exit);
    }
    let built_in = settings.machine.dying_client.is_some();
    let kept = left_up.map(|left_up| Kept::new(left_up, built_in)).transpose()?;
    let object = kept.as_ref().map(Kept::object);
    output.object(&json!({ "ok": summary.is_ok(), "summary": summary, "kept": object }));
    what_is_left_to_do(settings, output);
    match kept {
        None => output.line(kept::nothing(summary)),
        Some(kept) => {
            kept.tell(output);
            if output.is_unwritten() {
                // Nobody can read how to get to it.
                return kept.stopped().await.map(|()| exit);
            }
            if let Some(cut_short) = kept.until_stopped(signals, output).await? {
                return Ok(cut_short);
            }
        }
    }
    Ok(exit)
}

/// Golden files that a person must look at.
fn what_is_left_to_do(settings: &Settings, output: &Output) {
    // What cannot be read has been told, or is told by whoever needs it.
    let waiting = match settings.mode {
        Mode::Compare => pending(&settings.fixtures).map_or(0, |waiting| waiting.len()),
        Mode::Update | Mode::Ci => 0,
    };
    if waiting > 0 {
        let folder = settings.fixtures.strip_prefix(&settings.machine.shown_from);
        let folder = folder.unwrap_or(&settings.fixtures).display();
        let (what, wait) =
            if waiting == 1 { ("transcript", "waits") } else { ("transcripts", "wait") };
        output.note(format!(
            "{waiting} {what} {wait} for review: `mono-demo e2e review {folder}`, or --update, accepts; \
             a value that is another in each run is left out by `[redact]` or a matcher, as \"#string\""
        ));
    }
    for path in session::left_over(settings).unwrap_or_default() {
        output.note(format!("{} belongs to no scenario: remove or rename it", path.display()));
    }
}

/// What all runs together come to.
fn exit(settings: &Settings, summary: &Summary, output: &Output) -> Result<Exit, CliError> {
    let may_be_empty = settings.pass_with_no_runs || settings.filter.only.is_some();
    if summary.is_ok() && summary.is_empty() && !may_be_empty {
        let why = match summary.runs {
            0 => "no client of these scenarios is available",
            _ => "every run was left out; the reason is printed under each",
        };
        let error = CliError::infrastructure("nothing was run", why).about(&["client"]);
        return Err(error.hint(
            "`mono-demo doctor` shows what is missing; --client chooses among what is there; \
             --pass-with-no-runs if that is as it should be",
        ));
    }
    if let (true, Some(trouble)) = (summary.is_ok(), summary.trouble.first()) {
        return Err(CliError::new(Exit::Infrastructure, trouble));
    }
    summary.trouble.iter().for_each(|trouble| output.note(format!("error: {trouble}")));
    Ok(match summary {
        summary if summary.interrupted => Exit::Interrupted,
        summary if summary.broken > 0 => Exit::Infrastructure,
        summary if summary.is_ok() => Exit::Success,
        _ => Exit::Mismatch,
    })
}

fn list(settings: &Settings, chosen: &[Fixture], output: &Output) {
    let width = chosen.iter().map(|fixture| fixture.name.as_str().len()).max().unwrap_or(0);
    for fixture in chosen {
        let tags = match fixture.tags.as_slice() {
            [] => String::new(),
            tags => format!("  [{}]", tags.join(", ")),
        };
        output.line(format!("{:<width$}  {}{tags}", fixture.name, fixture.description));
    }
    let scenarios: Vec<_> = chosen
        .iter()
        .map(|fixture| {
            let clients: Vec<_> = session::clients_of(settings, fixture).map(|c| &c.name).collect();
            json!({
                "name": fixture.name,
                "description": fixture.description,
                "tags": fixture.tags,
                "clients": clients,
            })
        })
        .collect();
    output.object(&json!({ "ok": true, "scenarios": scenarios }));
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
        open(report).map_err(|error| {
            let shown = report.1.display();
            let folder = report.1.parent().filter(|_| error.kind() == io::ErrorKind::NotFound);
            let error = CliError::usage(match folder {
                Some(folder) => {
                    format!("--report {shown}: there is no folder {}", folder.display())
                }
                None => format!("--report {shown}: {error}"),
            });
            error.about(&["report"])
        })
    };
    args.report.iter().map(named).collect()
}

impl From<E2eError> for CliError {
    fn from(error: E2eError) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Infrastructure };
        let about: &[_] = match &error {
            E2eError::Report { .. } => &["report"],
            _ => &[],
        };
        Self { hint: error.hint(), about, ..Self::new(exit, error) }
    }
}
