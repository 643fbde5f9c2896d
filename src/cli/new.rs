//! `e2e new`: creates a user's own suite, which passes at once.

use std::path::{Path, PathBuf};

use clap::Args;
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::output::Output;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/cli/template");

/// Arguments of `e2e new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to create.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: &NewArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    let folder = context.absolute(&args.folder);
    let shown = args.folder.display();
    let taken = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || folder.is_file() {
        return Err(CliError::usage(format!("e2e new: {shown} is there, and not empty"))
            .hint("name a folder that is not there yet"));
    }
    let mut files = Vec::new();
    write(&TEMPLATE, &folder, &mut files)
        .map_err(|error| CliError::infrastructure(&format!("write the suite {shown}"), error))?;
    files.sort();
    for file in &files {
        output.line(format!("{shown}/{file}"));
    }
    output.line(format!("\nnow: mono-demo e2e {shown}"));
    output.object(&json!({ "ok": true, "folder": folder, "files": files }));
    Ok(Exit::Success)
}

fn write(from: &Dir<'_>, to: &Path, files: &mut Vec<String>) -> std::io::Result<()> {
    std::fs::create_dir_all(to.join(from.path()))?;
    for file in from.files() {
        std::fs::write(to.join(file.path()), file.contents())?;
        files.push(file.path().display().to_string());
    }
    from.dirs().try_for_each(|folder| write(folder, to, files))
}
