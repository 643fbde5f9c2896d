//! The logs of `serve` processes that were killed or crashed: nobody was left to remove them.

use std::path::PathBuf;
use std::time::SystemTime;

use super::file::{is_private, log_of};
use super::process::is_taken;
use crate::cli::context::Context;

/// The log of a `serve` that has ended.
#[derive(Debug)]
pub struct LeftLog {
    pub pid: u32,
    pub path: PathBuf,
    written: Option<SystemTime>,
}

/// Those that are there, the one that was written last first: the next `serve` removes them.
pub fn left_logs(context: &Context) -> Vec<LeftLog> {
    let folder = context.runtime_dir();
    let entries = is_private(&folder).then(|| std::fs::read_dir(folder).ok()).flatten();
    let paths = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let left = paths.filter_map(|path| {
        let is_current = path.extension().is_some_and(|extension| extension == "log");
        let pid = log_of(&path).filter(|pid| is_current && !is_taken(*pid))?;
        // Of what it leads to, a link tells nothing.
        let found = std::fs::symlink_metadata(&path).ok().filter(|found| found.is_file())?;
        Some(LeftLog { pid, path, written: found.modified().ok() })
    });
    let mut left: Vec<LeftLog> = left.collect();
    left.sort_by_key(|log| std::cmp::Reverse(log.written));
    left
}
