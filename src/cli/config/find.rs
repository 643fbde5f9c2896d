//! Which file: the one that is named, else the nearest.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::file::File;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::given::{read_file_text, read_given_text};
use crate::private;

/// Its name.
pub const NAME: &str = "mono-demo.toml";

/// Everybody may write, as in `/tmp`.
const OTHERS_WRITE: u32 = 0o002;

/// The file that is named, else the nearest one, if there is one.
///
/// # Errors
/// It cannot be read; somebody else could have written one that nobody named; its mistakes.
pub fn found(
    named: Option<&Path>,
    shape: &clap::Command,
    context: &Context,
) -> Result<Option<File>, CliError> {
    let (path, text) = match named {
        Some(path) => {
            let path = plain(context.absolute(path));
            let text = read_given_text(&path);
            (path, text)
        }
        None => match nearest(context) {
            Some(path) => {
                let text = private::check_shared(&path).and_then(|()| read_file_text(&path));
                (path, text)
            }
            None => return Ok(None),
        },
    };
    let shown = path.strip_prefix(&context.cwd).unwrap_or(&path).to_owned();
    let text = text.map_err(|error| {
        let refused = private::is_refusal(&error);
        let message = format!("cannot read the defaults {}: {error}", shown.display());
        let error = CliError::usage(message);
        match refused {
            true => error.hint(
                "if you trust it, name it with --config FILE; --no-config goes on without it",
            ),
            false => error,
        }
    })?;
    File::read(path, &shown, &text, shape, context).map(Some)
}

/// The path without links and detours in the folder, from which others are.
fn plain(path: PathBuf) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The nearest, from the working folder upwards. The search ends with the repository, with the home folder
/// and with the file system, and it looks into no folder above that everybody may write.
fn nearest(context: &Context) -> Option<PathBuf> {
    searched(context).into_iter().map(|folder| folder.join(NAME)).find(|path| path.exists())
}

/// The folders that are looked into.
pub fn searched(context: &Context) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut device = None;
    for folder in context.cwd.ancestors() {
        let Ok(found) = folder.metadata() else { break };
        let is_above = !folders.is_empty();
        let is_other = *device.get_or_insert(found.dev()) != found.dev();
        if is_above && (is_other || found.mode() & OTHERS_WRITE != 0) {
            break;
        }
        folders.push(folder.to_owned());
        if folder.join(".git").exists() || context.is_home(folder) {
            break;
        }
    }
    folders
}
