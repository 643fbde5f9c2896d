//! Several suites in one call, one after the other.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::arguments::RunArgs;
use super::once::{nothing_to_run, once};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::near_suites;
use crate::cli::output::Output;
use crate::e2e::report::Reporter;
use crate::e2e::verdict::event::{Event, Summary};

/// Whether a flag was given.
type IsGiven = fn(&RunArgs) -> bool;

/// Flags that are about one suite.
const OF_ONE: [(&str, IsGiven); 8] = [
    ("--builtin", |args| args.builtin),
    ("--fixtures", |args| args.fixtures.is_some()),
    ("--keep", |args| args.keep),
    ("--list", |args| args.list),
    ("--nats-server-version", |args| args.nats_server_version.len() > 1),
    ("--record", |args| args.record),
    ("--shrink", |args| args.shrink),
    ("--watch", |args| args.watch),
];

/// Keeps the summary of a suite.
#[derive(Default)]
struct Kept(Option<Summary>);

impl Reporter for Kept {
    fn name(&self) -> String {
        "the summary of a suite".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Finished(summary) = event {
            self.0 = Some(summary.clone());
        }
        Ok(())
    }
}

/// The paths of each suite that they lead into, in the order of their first; nothing where that is one
/// suite, or none.
pub(super) fn named(names: &[String], context: &Context) -> Vec<(PathBuf, Vec<String>)> {
    let mut suites: Vec<(PathBuf, Vec<String>)> = Vec::new();
    for name in names {
        let path = context.absolute(name.as_ref()).canonicalize();
        let Some(suite) = path.ok().and_then(|path| near_suites::suite_of(&path)) else { continue };
        match suites.iter_mut().find(|(known, _)| *known == suite) {
            Some((_, paths)) => paths.push(name.clone()),
            None => suites.push((suite, vec![name.clone()])),
        }
    }
    if suites.len() > 1 { suites } else { Vec::new() }
}

/// Runs each of them; what is chosen by flags is chosen in each, and may be nothing in some.
///
/// # Errors
/// Before anything is run: a name that is no path, a flag that is about one suite, a slip in a suite, or
/// nothing to run in any.
pub(super) async fn run(
    args: &RunArgs,
    suites: Vec<(PathBuf, Vec<String>)>,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    if let Some((flag, _)) = OF_ONE.iter().find(|(_, given)| given(args)) {
        let message = format!("e2e: {flag} wants one suite, and {} are named", suites.len());
        return Err(CliError::usage(message)
            .hint("run each with a command of its own")
            .about(&["suites", "nats-server-version"]));
    }
    let is_path = |name: &&String| suites.iter().any(|(_, paths)| paths.contains(name));
    if let Some(name) = args.names.iter().find(|name| !is_path(name)) {
        let message =
            format!("e2e: {name} is in none of the {} suites that are named", suites.len());
        return Err(
            CliError::usage(message).hint("with several suites each scenario is named by its path")
        );
    }
    let labels = labels(suites.iter().map(|(suite, _)| suite.as_path()));
    let mut chosen = Vec::new();
    let mut why_nothing = None;
    for ((suite, names), label) in suites.into_iter().zip(labels) {
        let args = of_one(args, names, &label);
        let nothing = nothing_to_run(&args, global, context, output).await?;
        chosen.push((suite, args, nothing.is_none()));
        why_nothing = why_nothing.or(nothing);
    }
    if let (true, Some(why)) = (chosen.iter().all(|(_, _, runs)| !runs), why_nothing) {
        let message =
            format!("e2e: nothing to run in any of {} suites; in the first: {why}", chosen.len());
        return Err(CliError { message, ..why });
    }
    let mut worst = Exit::Success;
    let mut objects: Vec<Value> = Vec::new();
    for (suite, args, runs) in &chosen {
        let mut kept = Kept::default();
        if *runs {
            match once(args, None, Some(&mut kept), global, context, output).await {
                Ok(exit) => worst = worst.or_worse(exit),
                Err(error) => {
                    // What the suites before it came to is told too.
                    objects.push(json!({ "suite": suite, "summary": kept.0 }));
                    let why = error.object();
                    output.object(&json!({ "ok": false, "error": why, "suites": objects }));
                    output.complain(&error);
                    return Ok(error.exit);
                }
            }
        } else {
            kept.0 = Some(Summary::default());
            output.line(format!("suite {}: nothing of it is chosen, 0 runs", suite.display()));
        }
        output.line("");
        objects.push(json!({ "suite": suite, "summary": kept.0 }));
        if worst == Exit::Interrupted || (args.fail_fast && worst != Exit::Success) {
            break;
        }
    }
    let left = chosen.len() - objects.len();
    let not_run = if left > 0 { format!(", {left} not run") } else { String::new() };
    let well = if worst == Exit::Success { "all passed" } else { "not all passed" };
    output.line(format!("{} suites: {well}{not_run}", chosen.len()));
    output.object(&json!({ "ok": worst == Exit::Success, "suites": objects }));
    Ok(worst)
}

/// What tells the files of one suite from those of another: its folder's name, and a number where
/// another has that.
fn labels<'a>(suites: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut label = |suite: &Path| {
        let name = suite.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut label = name.clone();
        let mut number = 1;
        while !used.insert(label.clone()) {
            number += 1;
            label = format!("{name}-{number}");
        }
        label
    };
    suites.map(&mut label).collect()
}

/// The same arguments for this suite; what is written is told apart by its label.
fn of_one(args: &RunArgs, names: Vec<String>, label: &str) -> RunArgs {
    let mut args = RunArgs { names, ..args.clone() };
    for (_, path) in &mut args.report {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
        *path = path.with_file_name(format!("{name}-{label}{}", ending.unwrap_or_default()));
    }
    args.history = args.history.map(|folder| folder.join(label));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_of_one_name_are_told_apart() {
        let suites = ["/a/e2e", "/b/e2e", "/c/shop"].map(Path::new);
        assert_eq!(labels(suites.into_iter()), ["e2e", "e2e-2", "shop"]);
        // A folder may have the name that another would be given.
        let suites = ["/a/e2e", "/b/e2e", "/c/e2e-2", "/d/e2e"].map(Path::new);
        assert_eq!(labels(suites.into_iter()), ["e2e", "e2e-2", "e2e-2-2", "e2e-3"]);
    }
}
