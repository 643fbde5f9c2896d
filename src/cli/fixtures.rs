//! `e2e fmt` and `e2e schema`: fixtures as files, without running them.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::{Output, printable};
use super::suite;
use crate::counted::counted;
use crate::e2e::scenario;
use crate::e2e::scenario::Fixture;
use crate::e2e::session::{self, Recorded, Settings};
use crate::e2e::text::Source;
use crate::proof::CHECKS;
use crate::whole;

/// Arguments of `e2e fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Fixtures, or folders of them [default: those that `e2e` runs here].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing: show what would change, and exit with 1 if anything would.
    #[arg(long)]
    check: bool,
}

/// Prints the schema, which is JSON with and without `--json`.
pub fn schema(output: &Output) -> Exit {
    let schema = scenario::schema(CHECKS);
    output.line(format!("{schema:#}"));
    output.object(&schema);
    Exit::Success
}

/// Formats, or shows what would change. Files that are not TOML are reported, and the others
/// formatted.
pub fn fmt(args: &FmtArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    let paths = match args.paths.as_slice() {
        [] => vec![suite::fixtures_here(context)?],
        paths => paths.to_vec(),
    };
    let (mut seen, mut changed, mut wrong) = (0_usize, Vec::new(), Vec::new());
    for path in &paths {
        for file in session::files(&context.absolute(path))? {
            let shown = file.strip_prefix(&context.cwd).unwrap_or(&file).display().to_string();
            let cannot = |doing: &str, error: io::Error| {
                CliError::usage(format!("cannot {doing} {shown}: {error}"))
            };
            let text = session::text_of(&file).map_err(|error| cannot("read", error))?;
            seen += 1;
            match scenario::format(&Source::new(&shown, &text), CHECKS) {
                Ok(formatted) if formatted == text => {}
                Ok(formatted) => {
                    if args.check {
                        output.line(printable(&diff(&shown, &text, &formatted)));
                    } else {
                        whole::write_public(&file, &formatted)
                            .map_err(|error| cannot("write", error))?;
                        output.line(format!("formatted {shown}"));
                    }
                    changed.push(shown);
                }
                Err(error) => wrong.push(error.to_string()),
            }
        }
    }
    if seen == 0 {
        let paths = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        return Err(CliError::usage(format!("there is no fixture in {}", paths.join(", "))));
    }
    if !wrong.is_empty() {
        return Err(CliError::usage(wrong.join("\n\n")));
    }
    let what = match (args.check, changed.len()) {
        (_, 0) => "all in form".to_owned(),
        (true, n) => format!("{n} not in form: `mono-demo e2e fmt` writes them"),
        (false, n) => format!("{n} written"),
    };
    output.line(format!("{}, {what}", counted(seen, "fixture")));
    let ok = !args.check || changed.is_empty();
    output.object(&json!({ "ok": ok, "fixtures": seen, "changed": changed }));
    Ok(if ok { Exit::Success } else { Exit::Mismatch })
}

/// `e2e --record`: writes what happened into the fixtures, and shows it.
pub async fn record(
    settings: &Settings,
    chosen: &[Fixture],
    output: &Output,
) -> Result<Exit, CliError> {
    let (mut written, mut failed) = (Vec::new(), Vec::new());
    for fixture in chosen {
        let name = &fixture.name;
        match session::record(settings, fixture).await? {
            Recorded::Nothing => output.line(format!("{name}: nothing to record")),
            Recorded::LeftOut(reason) => {
                output.line(format!("{name}: left out: {}", printable(&reason)));
            }
            Recorded::Failed(why) => {
                output.line(format!("{name}: nothing is written, because it fails"));
                output.line(printable(&why));
                failed.push(name);
            }
            Recorded::New { path, old, new } => {
                output.line(printable(&diff(&fixture.source.path, &old, &new)));
                whole::write_public(&path, &new).map_err(|error| {
                    CliError::usage(format!("cannot write {}: {error}", path.display()))
                })?;
                written.push(name);
            }
        }
    }
    let (all, new, bad) = (chosen.len(), written.len(), failed.len());
    output.line(format!("{}, {new} written, {bad} failed", counted(all, "scenario")));
    output.object(&json!({ "ok": bad == 0, "written": written, "failed": failed }));
    Ok(if bad == 0 { Exit::Success } else { Exit::Mismatch })
}

/// What changes in a file, as `diff -u` shows it.
pub fn diff(name: &str, old: &str, new: &str) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header(name, name).to_string()
}
