//! Watches private folders, from before they exist until we have ended.
//!
//! A reaper removes its folders, but they are made before it runs: a SIGKILL between the two would
//! leave them. So a second small process, `mono-demo __reap --keep ROOT`, gets each folder's name
//! before the folder is made. When its stdin closes, however we ended, it removes the folders that
//! still exist.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, BufRead, PipeWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use super::attendant::Attendant;
use super::remove::remove_tree;
use super::subcommand::SUBCOMMAND;

/// The reaper's argument that makes it a keeper.
pub(super) const KEEP: &str = "--keep";

/// Our end.
#[derive(Debug)]
pub(super) struct Keeper {
    names: PipeWriter,
}

impl Keeper {
    /// Starts one; `root` is only what `ps` shows.
    pub(super) fn start(exe: &Path, root: &Path) -> io::Result<Keeper> {
        let (stdin, names) = io::pipe()?;
        let mut command = Command::new(exe);
        command.arg0("mono-demo").arg(SUBCOMMAND).arg(KEEP).arg(root);
        // Ctrl-C in the terminal is not for it, and nobody waits for its output.
        command.process_group(0).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn()?;
        // It ends after us; only an orderly end of the whole process waits for it.
        Attendant::new(process, &format!("the keeper of {}", root.display()));
        Ok(Keeper { names })
    }

    /// A new folder of this name that only we can enter.
    pub(super) fn folder(&mut self, root: &Path, name: &str) -> io::Result<TempDir> {
        let path = root.join(name);
        // If the name cannot be sent, the keeper has ended; the reaper's start will report why.
        let _ = self.tell(b'+', &path);
        let made = folder(root, name);
        if made.is_err() {
            // It may be somebody else's.
            let _ = self.tell(b'-', &path);
        }
        made
    }

    /// One write, shorter than a pipe's atomic limit: the whole name is sent, or nothing.
    fn tell(&mut self, sign: u8, path: &Path) -> io::Result<()> {
        let mut word = vec![sign];
        word.extend(path.as_os_str().as_bytes());
        word.push(0);
        self.names.write_all(&word)
    }
}

/// A new folder of this name that only we can enter.
pub(super) fn folder(root: &Path, name: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(name)
        .rand_bytes(0)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(root)
}

/// The other process: reads names until the end of `stdin`, and removes what is still there.
pub(super) fn keep(stdin: impl BufRead) {
    let mut folders = BTreeSet::new();
    for word in stdin.split(0) {
        let Ok(word) = word else { break };
        match word.split_first() {
            Some((b'+', path)) => folders.insert(PathBuf::from(OsStr::from_bytes(path))),
            Some((b'-', path)) => folders.remove(Path::new(OsStr::from_bytes(path))),
            _ => false,
        };
    }
    for folder in folders.iter().filter(|folder| folder.is_absolute()) {
        remove_tree(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_there_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for name in ["ours", "theirs"] {
            std::fs::create_dir_all(path(name).join("deep")).unwrap();
        }
        let text = format!(
            "+{}\0+{}\0+{}\0-{}\0",
            path("gone").display(),
            path("ours").display(),
            path("theirs").display(),
            path("theirs").display()
        );
        keep(text.as_bytes());
        assert!(!path("ours").exists() && path("theirs").exists());
    }
}
