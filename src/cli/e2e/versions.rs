//! The same scenarios on several versions of nats-server, one after the other, and a table of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::RunArgs;
use super::once::once;
use crate::cli::connect::provision_settings;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::e2e::report::Reporter;
use crate::e2e::verdict::event::{Event, Summary, Verdict};
use crate::provision::{self, Pinned};

/// Whether a flag was given.
type IsGiven = fn(&RunArgs) -> bool;

/// Flags that are about one server, or about none.
const OF_ONE: [(&str, IsGiven); 6] = [
    ("--keep", |args| args.keep),
    ("--list", |args| args.list),
    ("--record", |args| args.record),
    ("--shrink", |args| args.shrink),
    ("--update", |args| args.update),
    ("--watch", |args| args.watch),
];

/// What came of one version.
#[derive(Default)]
struct Column {
    /// By scenario and client, in one word.
    runs: BTreeMap<String, &'static str>,
    summary: Option<Summary>,
}

impl Reporter for Column {
    fn name(&self) -> String {
        "the table of versions".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunFinished(report) => {
                self.runs.insert(report.run.to_string(), word(&report.verdict));
            }
            Event::Finished(summary) => self.summary = Some(summary.clone()),
            _ => {}
        }
        Ok(())
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed | Verdict::Updated { .. } => "passed",
        Verdict::Failed(_) => "failed",
        Verdict::Flaky { .. } => "flaky",
        Verdict::Skipped { .. } => "skipped",
        Verdict::Broken { .. } => "broken",
    }
}

/// Runs all that is chosen on each version.
///
/// # Errors
/// A flag that is about one server; a version that cannot be had, before anything is run; whatever ends
/// the runs on one version.
pub(super) async fn run(
    args: &RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    if let Some((flag, _)) = OF_ONE.iter().find(|(_, given)| given(args)) {
        let message = format!("--nats-server-version: {flag} wants one version, not several");
        return Err(CliError::usage(message).about(&["nats-server-version"]));
    }
    let mut versions: Vec<&'static Pinned> = Vec::new();
    for version in &args.nats_server_version {
        if versions.contains(version) {
            let message = format!("--nats-server-version: {version} is there twice");
            return Err(CliError::usage(message).about(&["nats-server-version"]));
        }
        versions.push(version);
    }
    let tools = provision_settings(&global.tools, context);
    for version in &versions {
        provision::nats_server_of(version, &tools, &|line: &str| output.note(line))
            .await
            .map_err(|error| CliError::from(error).about(&["nats-server-version", "offline"]))?;
    }
    let mut columns = Vec::new();
    let mut worst = Exit::Success;
    for version in versions {
        output.line(format!("== nats-server {version}"));
        let mut column = Column::default();
        let args = of_one(args, version);
        let ended = once(&args, None, Some(&mut column), global, context, output).await;
        let exit = match ended {
            Ok(exit) => exit,
            Err(error) => {
                // What the versions before it came to is told too.
                columns.push((version, column));
                table(&columns).iter().for_each(|line| output.line(line));
                let (why, versions) = (error.object(), objects(&columns));
                output.object(&json!({ "ok": false, "error": why, "versions": versions }));
                output.complain(&error);
                return Ok(error.exit);
            }
        };
        output.line("");
        columns.push((version, column));
        worst = worst.or_worse(exit);
        if worst == Exit::Interrupted {
            break;
        }
    }
    table(&columns).iter().for_each(|line| output.line(line));
    output.object(&json!({ "ok": worst == Exit::Success, "versions": objects(&columns) }));
    Ok(worst)
}

fn objects(columns: &[(&Pinned, Column)]) -> Vec<Value> {
    let object = |(version, column): &(&Pinned, Column)| json!({ "nats_server": version.version, "summary": column.summary });
    columns.iter().map(object).collect()
}

/// The same arguments for this version; what is written is told apart by it.
fn of_one(args: &RunArgs, version: &'static Pinned) -> RunArgs {
    let mut args = args.clone();
    args.nats_server_version = vec![version];
    for (_, path) in &mut args.report {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
        *path = path.with_file_name(format!("{name}-{version}{}", ending.unwrap_or_default()));
    }
    args.history = args.history.as_deref().map(|folder: &Path| folder.join(version.version));
    args
}

/// A line for each version, then one for each run that did not end alike on all of them.
fn table(columns: &[(&Pinned, Column)]) -> Vec<String> {
    let mut lines = vec!["nats-server    runs  passed  failed  skipped  broken".to_owned()];
    for (version, column) in columns {
        let Some(summary) = &column.summary else { continue };
        let Summary { runs, passed, failed, flaky, skipped, broken, .. } = summary;
        let failed = failed + flaky;
        lines.push(format!(
            "{:<11}  {runs:>6}  {passed:>6}  {failed:>6}  {skipped:>7}  {broken:>6}",
            version.version
        ));
    }
    let mut runs: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (version, column) in columns {
        for (run, word) in &column.runs {
            runs.entry(run).or_default().push((version.version, word));
        }
    }
    let differ = runs.into_iter().filter(|(_, words)| words.iter().any(|(_, w)| *w != words[0].1));
    lines.extend(differ.map(|(run, words)| {
        let words: Vec<String> =
            words.iter().map(|(version, word)| format!("{word} on {version}")).collect();
        format!("{run}: {}", words.join(", "))
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_end_alike_on_all_is_named() {
        let column = |words: [(&str, &'static str); 2]| Column {
            runs: words.into_iter().map(|(run, word)| (run.to_owned(), word)).collect(),
            summary: None,
        };
        let [old, new] = ["2.11", "2.15"].map(|line| Pinned::find(line).unwrap());
        let columns = [
            (old, column([("a [rust]", "passed"), ("b [rust]", "failed")])),
            (new, column([("a [rust]", "passed"), ("b [rust]", "passed")])),
        ];
        let expected = format!("b [rust]: failed on {old}, passed on {new}");
        assert_eq!(table(&columns)[1..], [expected]);
    }

    #[test]
    fn what_is_written_is_told_apart_by_version() {
        let args = RunArgs { history: Some("kept".into()), ..RunArgs::default() };
        let one = of_one(&args, Pinned::newest());
        assert_eq!(one.history, Some(format!("kept/{}", Pinned::newest()).into()));
    }
}
