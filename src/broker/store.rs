//! One broker a store folder: two on the same one would destroy it.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::StartError;

/// A store folder that is ours until this is dropped.
///
/// Two locks: this one says which *broker* owns the folder, through kills and restarts too; the other,
/// [`server_lock`](Self::server_lock), is held by the reaper for as long as a *server* lives on it,
/// also after we were killed.
#[derive(Debug)]
pub(super) struct OwnedStore {
    _lock: File,
    folder: PathBuf,
}

impl OwnedStore {
    /// Makes the folder if it is missing (0700), and locks it.
    pub(super) fn take(folder: &Path) -> Result<OwnedStore, StartError> {
        let problem =
            |what| move |source| StartError::Prepare { what, path: folder.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(problem("the store folder"))?;
        // Absolute: the server's working folder is not ours.
        let folder = folder.canonicalize().map_err(problem("the store folder"))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("broker.lock"))
            .map_err(problem("a lock in the store folder"))?;
        match lock.try_lock() {
            Ok(()) => Ok(OwnedStore { _lock: lock, folder }),
            Err(TryLockError::WouldBlock) => Err(StartError::StoreInUse { store: folder }),
            Err(TryLockError::Error(e)) => Err(problem("a lock in the store folder")(e)),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn server_lock(&self) -> PathBuf {
        self.folder.join("server.lock")
    }
}
