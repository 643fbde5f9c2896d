//! One broker a store folder: two on the same one would destroy it.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::StartError;
use crate::given::{open_file, read_private};
use crate::private;

/// A store folder that is ours until this is dropped.
///
/// Two locks: this one says which *broker* owns the folder, through kills and restarts too; the other,
/// [`server_lock`](Self::server_lock), is held by the *server* itself for as long as it lives,
/// also after we were killed.
#[derive(Debug)]
pub(super) struct OwnedStore {
    lock: File,
    folder: PathBuf,
}

impl OwnedStore {
    /// Makes the folder if it is missing (0700), and locks it.
    pub(super) fn take(folder: &Path) -> Result<OwnedStore, StartError> {
        let problem =
            |what| move |source| StartError::Prepare { what, path: folder.to_owned(), source };
        private_folders(folder).map_err(problem("the store folder"))?;
        // Absolute: the server's working folder is not ours.
        let folder = folder.canonicalize().map_err(problem("the store folder"))?;
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let path = folder.join("broker.lock");
        let locked = |path: &Path, source| StartError::Prepare {
            what: "a lock in the store folder",
            path: path.to_owned(),
            source,
        };
        let lock = open_file(&path, options).map_err(|e| locked(&path, e))?;
        match lock.try_lock() {
            Ok(()) => {
                let owned = OwnedStore { lock, folder };
                owned.say(None);
                Ok(owned)
            }
            Err(TryLockError::WouldBlock) => {
                let by = said_by_owner(&path);
                Err(StartError::StoreInUse { store: folder, by })
            }
            Err(TryLockError::Error(e)) => Err(locked(&path, e)),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn server_lock(&self) -> PathBuf {
        self.folder.join("server.lock")
    }

    /// Tells whoever finds the folder in use by whom, and where its server is.
    pub(super) fn say(&self, url: Option<&str>) {
        let its_broker = url.map(|url| format!(", which runs a broker on {url}"));
        let text = format!("process {}{}\n", std::process::id(), its_broker.unwrap_or_default());
        // It is for people: where it cannot be written, the folder is in use all the same.
        let written =
            self.lock.set_len(0).and_then(|()| self.lock.write_all_at(text.as_bytes(), 0));
        if let Err(error) = written {
            tracing::debug!(%error, folder = %self.folder.display(), "who uses the folder is not said");
        }
    }
}

/// What a folder's owner says of itself; nothing where it has not said anything yet.
pub(super) fn said_by_owner(lock: &Path) -> Option<String> {
    const MOST: usize = 200;
    let text = read_private(lock).ok()?;
    let line = String::from_utf8(text).ok()?.trim().to_owned();
    (!line.is_empty() && line.len() <= MOST).then_some(line)
}

impl Drop for OwnedStore {
    fn drop(&mut self) {
        // Not by closing alone: a process that another thread of ours starts just now holds the same
        // file until its `exec`, and with it the lock.
        let _ = self.lock.unlock();
    }
}

/// Copies the streams of a store folder into another one, which is there and has none.
///
/// # Errors
/// [`StartError::Prepare`], with what the operating system says.
pub async fn copy_streams(from: &Path, to: &Path) -> Result<(), StartError> {
    let (streams, copy) = (from.join("jetstream"), to.join("jetstream"));
    let path = streams.clone();
    let copied = tokio::task::spawn_blocking(move || copy_tree(&streams, &copy)).await;
    let copied = copied.unwrap_or_else(|e| Err(e.into()));
    copied.map_err(|source| StartError::Prepare { what: "a copy of the streams in", path, source })
}

/// Folders and files only: a store has nothing else.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()? {
            kind if kind.is_dir() => copy_tree(&path, &copy)?,
            kind if kind.is_file() => drop(std::fs::copy(&path, &copy)?),
            _ => {
                let what = format!("{} is neither a file nor a folder", path.display());
                return Err(std::io::Error::new(ErrorKind::InvalidInput, what));
            }
        }
    }
    Ok(())
}

/// Makes a folder that only we can enter, and those above it that are missing; one that others can
/// write is refused.
pub(super) fn private_folders(folder: &Path) -> std::io::Result<()> {
    private::folder(folder)
}

/// Makes sure that nobody else could have written the streams in a store folder, if there are any.
pub(super) async fn check_streams(store: &Path) -> Result<(), StartError> {
    let streams = store.join("jetstream");
    let problem =
        |source| StartError::Prepare { what: "the streams in", path: streams.clone(), source };
    if !streams.try_exists().map_err(problem)? {
        return Ok(());
    }
    // There may be many files.
    let all = streams.clone();
    let checked = tokio::task::spawn_blocking(move || private::check_all(&all)).await;
    checked.unwrap_or_else(|e| Err(e.into())).map_err(problem)
}
