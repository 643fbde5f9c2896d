//! `doctor`'s findings on the folders that commands write to, in the words of the commands.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;

use super::connect::reaper;
use super::context::Context;
use super::diagnosis::{Diagnosis, lines};
use super::running;
use crate::{broker, private, provision};

/// The cache folder, which must be writable; if it does not exist yet, the folder above it.
pub(super) fn cache(path: &Path) -> Diagnosis {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    // The way to it must be trusted too, where it is not there yet.
    let trusted = match private::check(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        checked => checked,
    };
    let written = trusted.and_then(|()| {
        // A page, so that a full disk is found too.
        let mut file = tempfile::NamedTempFile::new_in(there)?;
        std::io::Write::write_all(&mut file, &[b'x'; 4096])?;
        file.as_file().sync_all()
    });
    let (ok, text) = match &written {
        Ok(()) => (true, path.display().to_string()),
        Err(error) if private::is_refusal(error) => {
            let hint = format!("hint: {}", provision::ANOTHER_CACHE);
            (false, lines([format!("{}: {error}", path.display()), hint]))
        }
        Err(error) => (
            false,
            lines([
                format!("{}: nothing can be written there: {error}", path.display()),
                "hint: make it writable for you, free space on its disk, or set XDG_CACHE_HOME to another \
                 folder"
                    .to_owned(),
            ]),
        ),
    };
    let error = written.err().map(|error| error.to_string());
    Diagnosis { name: "cache", ok, text, detail: json!({ "path": path, "error": error }) }
}

/// Where each broker has its run folder, and temporary streams: one is made there, as `serve` does.
pub(super) fn temporary(context: &Context) -> Diagnosis {
    let tried = broker::try_run_folder(&reaper(context));
    let other = "make it writable for you, free space on its disk, or set TMPDIR to another folder";
    finding("temporary", &context.temp, tried.map_err(|error| (error.to_string(), other)))
}

/// Where a `serve` says where it is.
pub(super) fn runtime(context: &Context) -> Diagnosis {
    let tried = running::may_be_published(context);
    finding("runtime", &context.runtime_dir(), tried.map_err(|error| (error, running::ELSEWHERE)))
}

fn finding(name: &'static str, path: &Path, tried: Result<(), (String, &str)>) -> Diagnosis {
    let error = tried.as_ref().err().map(|(error, _)| error.clone());
    let (ok, text) = match tried {
        Ok(()) => (true, path.display().to_string()),
        Err((error, hint)) => (false, lines([error, format!("hint: {hint}")])),
    };
    Diagnosis { name, ok, text, detail: json!({ "path": path, "error": error }) }
}
