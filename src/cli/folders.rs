//! `doctor`'s findings on the folders that commands write to, in the words of the commands.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::connect::reaper;
use super::context::Context;
use super::diagnosis::{Diagnosis, lines};
use super::running;
use crate::{broker, private, provision, whole};

/// What came of trying a folder: the error, and what to do about it.
type Tried = Result<(), (String, &'static str)>;

/// The cache folder, which must be writable; if it does not exist yet, the folder above it.
pub(super) async fn cache(path: PathBuf) -> Diagnosis {
    finding("cache", path.clone(), move || try_cache(&path)).await
}

fn try_cache(path: &Path) -> Tried {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    // The way to it must be trusted too, where it is not there yet.
    let trusted = match private::check(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        checked => checked,
    };
    trusted.and_then(|()| whole::try_in(there)).map_err(|error| match private::is_refusal(&error) {
        true => (format!("{}: {error}", path.display()), provision::ANOTHER_CACHE),
        false => (
            format!("{}: nothing can be written there: {error}", path.display()),
            "make it writable for you, free space on its disk, or set XDG_CACHE_HOME to another folder",
        ),
    })
}

/// Where each broker has its run folder, and temporary streams: one is made there, as `serve` does.
pub(super) async fn temporary(context: &Context) -> Diagnosis {
    let reaper = reaper(context);
    let other = "make it writable for you, free space on its disk, or set TMPDIR to another folder";
    let tried = move || broker::try_run_folder(&reaper).map_err(|error| (error.to_string(), other));
    finding("temporary", context.temp.clone(), tried).await
}

/// Where a `serve` says where it is.
pub(super) async fn runtime(context: &Context) -> Diagnosis {
    let (path, context) = (context.runtime_dir(), context.clone());
    let tried =
        move || running::may_be_published(&context).map_err(|error| (error, running::ELSEWHERE));
    finding("runtime", path, tried).await
}

/// What comes of trying it, off the runtime's thread: a disk may hang.
async fn finding(
    name: &'static str,
    path: PathBuf,
    tried: impl FnOnce() -> Tried + Send + 'static,
) -> Diagnosis {
    let tried = tokio::task::spawn_blocking(tried).await;
    let tried = tried.unwrap_or_else(|error| {
        Err((format!("{}: it was not tried: {error}", path.display()), "run `doctor` again"))
    });
    let error = tried.as_ref().err().map(|(error, _)| error.clone());
    let (ok, text) = match tried {
        Ok(()) => (true, path.display().to_string()),
        Err((error, hint)) => (false, lines([error, format!("hint: {hint}")])),
    };
    Diagnosis { name, ok, text, detail: json!({ "path": path, "error": error }) }
}
