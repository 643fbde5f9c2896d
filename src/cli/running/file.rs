//! The file in which a running `serve` announces itself: written, read, and checked before it is
//! trusted.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::process::{self, Process};
use super::proof::Secret;
use crate::cli::context::Context;
use crate::cli::serve_log::LogFile;
use crate::whole;
use crate::wire::context::NatsContext;

/// The content of the file; `--ready-file` gets the same without the secret and the login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Runtime {
    /// Where clients connect.
    pub url: String,
    /// The `serve` process.
    #[serde(flatten)]
    pub process: Process,
    /// When it was ready, in milliseconds since 1970: the newest is used.
    #[serde(default)]
    pub since_ms: u64,
    /// The broker's `server_name`. Of a cluster those of all nodes, comma separated.
    pub name: String,
    /// Whether that broker is its own, and not one that it joined.
    #[serde(default)]
    pub runs_broker: bool,
    /// The modules that it runs.
    #[serde(default)]
    pub modules: Vec<String>,
    /// The version of this program that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the nats-server that it was let in at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_version: Option<String>,
    /// Where its own broker writes its log; of a cluster the first node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_log: Option<PathBuf>,
    /// Where its own broker keeps the streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Kept>,
    /// The folder of the simulated gateway's and mailer's journals.
    pub journals: PathBuf,
    /// With `--auth` or TLS, a private folder that has a NATS context for each role: `client.json`,
    /// `worker.json`, `harness.json`, `finder.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contexts: Option<PathBuf>,
    /// On an existing system, how this user was let in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<NatsContext>,
    /// The secret that the server must prove to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// Where streams are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub folder: PathBuf,
    /// Whether they are there after the end of the `serve`.
    pub kept: bool,
}

impl Runtime {
    /// Now, as `since_ms` has it.
    pub fn now_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A file that is there while its owner serves.
#[derive(Debug)]
pub struct RuntimeFile {
    path: PathBuf,
    text: String,
}

impl RuntimeFile {
    /// Writes the file whole and for this user only: a reader sees all of it or nothing.
    ///
    /// # Errors
    /// The path and the operating system's words.
    pub fn write(path: PathBuf, runtime: &Runtime) -> Result<Self, String> {
        let failed = |e: io::Error| format!("write {}: {e}", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut make = std::fs::DirBuilder::new();
        make.recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let text = serde_json::to_string(runtime).map_err(|e| {
            let journals = runtime.journals.display();
            format!("write {}, which names the journal folder {journals}: {e}", path.display())
        })? + "\n";
        // Before it is written: also one that was not written to its end goes.
        let file = Self { path: path.clone(), text };
        // After a power loss nobody runs, whatever is there then.
        whole::write_for_now(&path, &file.text).map_err(failed)?;
        Ok(file)
    }

    /// Writes it where commands look, and removes those of processes that were killed.
    ///
    /// # Errors
    /// As [`write`](Self::write), and if the folder is somebody else's.
    pub fn publish(context: &Context, runtime: &Runtime) -> Result<Self, String> {
        let folder = usable_folder(context)?;
        let file = Self::write(path(context, runtime.process.pid), runtime)?;
        for (path, runtime) in believed(&folder) {
            if !runtime.process.lives() {
                let _ = std::fs::remove_file(path);
            }
        }
        sweep_logs(&folder);
        Ok(file)
    }
}

/// Removes the logs of processes that are no more. One that was killed before it was ready has a log
/// and no file, and one that is starting has a log and may have the number of one that was killed.
fn sweep_logs(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if log_of(&path).is_some_and(|pid| !process::is_taken(pid)) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whose log, or part of a log, it is by its name.
pub(super) fn log_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix("serve-")?;
    name.strip_suffix(".log").or_else(|| name.strip_suffix(".log.1"))?.parse().ok()
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        // A later `serve` may have put its own there: that one stays. So does what is no file, and
        // reading that may have no end.
        let is_file = std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_file());
        if is_file && std::fs::read_to_string(&self.path).is_ok_and(|now| now == self.text) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The folder of these files, made if it is missing.
fn usable_folder(context: &Context) -> Result<PathBuf, String> {
    let folder = context.runtime_dir();
    let private = crate::private::folder(&folder).and_then(|()| {
        // Nobody looks behind a link.
        match std::fs::symlink_metadata(&folder)?.is_dir() {
            true => Ok(()),
            false => Err(io::Error::other("it is a link, and must be a folder")),
        }
    });
    private.map_err(|e| format!("use the runtime folder {}: {e}", folder.display()))?;
    Ok(folder)
}

/// What to do where nothing can be published there.
pub const ELSEWHERE: &str = "commands find `serve` by a file there: set XDG_RUNTIME_DIR to a folder of yours, or \
                             serve --unlisted";

/// Makes sure that [`RuntimeFile::publish`] can write there, before all that comes first is started.
///
/// # Errors
/// As there.
pub fn may_be_published(context: &Context) -> Result<(), String> {
    let folder = context.runtime_dir();
    let failed = |e: io::Error| format!("use the runtime folder {}: {e}", folder.display());
    match std::fs::symlink_metadata(&folder) {
        Ok(_) => {
            let folder = usable_folder(context)?;
            whole::try_page(&path(context, std::process::id()))
                .map_err(|e| format!("write to the runtime folder {}: {e}", folder.display()))
        }
        // It is made when there is something to say.
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let above = folder.ancestors().skip(1).find(|above| above.symlink_metadata().is_ok());
            let above = above.unwrap_or(Path::new("/"));
            // The way to it must be trusted too.
            match crate::private::check(&folder) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(e)),
                _ => whole::try_in(above).map_err(failed),
            }
        }
        Err(e) => Err(failed(e)),
    }
}

/// Where the `serve` of this pid says where it is.
pub fn path(context: &Context, pid: u32) -> PathBuf {
    context.runtime_dir().join(format!("serve-{pid}.json"))
}

/// Where the log of the `serve` of this pid is.
pub fn log_path(context: &Context, pid: u32) -> PathBuf {
    context.runtime_dir().join(format!("serve-{pid}.log"))
}

/// Begins the log of this process where commands look.
///
/// # Errors
/// As [`LogFile::begin`], and if the folder is somebody else's.
pub fn begin_log(context: &Context) -> Result<LogFile, String> {
    usable_folder(context)?;
    LogFile::begin(log_path(context, std::process::id()))
}

/// Removes what a former `serve` left at `--ready-file`: a script must not take it for ours. What is no
/// file of text, as a device or a folder, stays, and cannot become one.
///
/// # Errors
/// The path and the operating system's words, or what is there.
pub fn remove_stale(path: &Path) -> Result<(), String> {
    let failed = |e: io::Error| format!("remove the old ready file {}: {e}", path.display());
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed(e)),
        Ok(found) if found.is_file() || found.is_symlink() => {
            std::fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(format!(
            "the ready file {} cannot be written: what is there is a device or a folder, not a file",
            path.display()
        )),
    }
}

/// What every living `serve` of this user says of itself, the newest first.
pub fn living(context: &Context) -> Vec<Runtime> {
    let all = believed(&context.runtime_dir()).into_iter().map(|(_, runtime)| runtime);
    let mut living: Vec<Runtime> = all.filter(|runtime| runtime.process.lives()).collect();
    living.sort_by_key(|runtime| std::cmp::Reverse(runtime.since_ms));
    living
}

/// What the `serve` of this user says that runs the broker of this `server_name`; else the newest that
/// has joined it.
pub fn of_server(name: &str, context: &Context) -> Option<Runtime> {
    let of_this = |runtime: &Runtime| runtime.name.split(',').any(|node| node == name);
    living(context).into_iter().filter(of_this).min_by_key(|runtime| !runtime.runs_broker)
}

/// The files in a folder that nobody but this user can have written.
fn believed(folder: &Path) -> Vec<(PathBuf, Runtime)> {
    if !is_private(folder) {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter_map(|path| read(&path).map(|runtime| (path, runtime))).collect()
}

/// Whether nobody but this user can have put something into this folder.
pub(super) fn is_private(folder: &Path) -> bool {
    let there = std::fs::symlink_metadata(folder);
    let ours = there.is_ok_and(|found| found.is_dir() && is_ours(&found));
    ours && crate::private::check(folder).is_ok()
}

fn read(path: &Path) -> Option<Runtime> {
    let name = path.file_name()?.to_str()?;
    let pid: u32 = name.strip_prefix("serve-")?.strip_suffix(".json")?.parse().ok()?;
    // Of what it leads to, a link tells nothing.
    std::fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
    let file = File::open(path).ok()?;
    file.metadata().ok().filter(|found| found.is_file() && is_ours(found))?;
    let mut text = Vec::new();
    file.take(1 << 20).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok().filter(|runtime: &Runtime| runtime.process.pid == pid)
}

/// Whether it belongs to this user, and nobody else may write it.
fn is_ours(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn runtime(pid: u32) -> Runtime {
        Runtime {
            url: "nats://127.0.0.1:1".into(),
            process: Process { pid, started: None },
            since_ms: 0,
            name: "n".into(),
            runs_broker: false,
            modules: Vec::new(),
            version: None,
            broker_version: None,
            broker_log: None,
            store: None,
            journals: "j".into(),
            contexts: None,
            login: None,
            secret: None,
        }
    }

    #[test]
    fn a_file_goes_with_its_owner_and_not_with_a_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/ready.json");
        let first = RuntimeFile::write(path.clone(), &runtime(1)).unwrap();
        let second = RuntimeFile::write(path.clone(), &runtime(2)).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_others_may_write_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve-7.json");
        let _file = RuntimeFile::write(path.clone(), &runtime(7)).unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        assert_eq!(believed(folder.path()).len(), 1);
        mode(&path, 0o622);
        assert_eq!(believed(folder.path()).len(), 0, "a file that others may write");
        mode(&path, 0o600);
        mode(folder.path(), 0o777);
        assert_eq!(believed(folder.path()).len(), 0, "a folder that others may write");
        mode(folder.path(), 0o700);
        std::os::unix::fs::symlink(&path, folder.path().join("serve-8.json")).unwrap();
        std::fs::copy(&path, folder.path().join("serve-9.json")).unwrap();
        assert_eq!(believed(folder.path()).len(), 1, "a link, and a name that is another's");
    }
}
