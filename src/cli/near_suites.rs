//! Suites that were meant, perhaps, where another name or folder was given.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::exit::CliError;
use super::own;
use crate::e2e::scenario::nearest;

/// How many are named at most.
const SHOWN: usize = 5;

/// The error for a folder that was named and is no suite.
pub fn without_file(given: &str, path: &Path) -> CliError {
    let error = CliError::usage(format!("{given} has no {}", own::FILE)).about(&["suites"]);
    let files = names(path, |path| path.is_file());
    let near = nearest(own::FILE, files.iter().map(String::as_str));
    let inner = in_folder(path);
    error.hint(match (near, inner.as_slice()) {
        (Some(near), _) => format!("it has {near}: did you mean {}?", own::FILE),
        (None, [first, ..]) => {
            format!("the suites in it: {}; as in `mono-demo e2e {given}/{first}`", shown(&inner))
        }
        (None, []) => format!(
            "`mono-demo e2e new` writes a suite, and --fixtures {given} runs the scenarios of this folder \
             with the built-in services"
        ),
    })
}

/// Whether a path belongs to another suite than this one.
pub fn is_another(path: &Path, suite: &Path) -> bool {
    suite_of(path).is_some_and(|own| own != suite)
}

/// The suite that a path leads into: the nearest folder with its file.
pub fn suite_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|folder| folder.join(own::FILE).is_file()).map(Path::to_owned)
}

/// What to do where the working folder is no suite and has some.
pub fn below(names: &[String], context: &Context) -> Option<String> {
    let suites = in_folder(&context.cwd);
    let first = suites.first()?;
    if let Some(near) = hint(names, context) {
        return Some(near);
    }
    Some(format!(
        "the suites here: {}; name one, as in `mono-demo e2e {first}`, or run the built-in scenarios with \
         --builtin",
        shown(&suites)
    ))
}

/// What to do where names choose no scenario, and a suite in the working folder was meant.
pub fn hint(names: &[String], context: &Context) -> Option<String> {
    let here = in_folder(&context.cwd);
    let is_there = |name: &str| context.absolute(name.as_ref()).exists();
    let near = names
        .iter()
        .filter(|name| !is_there(name))
        .find_map(|name| nearest(name.trim_end_matches('/'), here.iter().map(String::as_str)));
    near.map(|near| format!("did you mean the suite `{near}`?"))
}

/// The folders in this one that have a suite file.
fn in_folder(folder: &Path) -> Vec<String> {
    names(folder, |path| path.join(own::FILE).is_file())
}

fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter(|entry| wanted(&entry.path()));
    let mut names: Vec<String> =
        found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn shown(names: &[String]) -> String {
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
