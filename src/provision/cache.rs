//! The cache folder: its lock, its staging folders, its manifests.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::error::ProvisionError;
use super::settings::Progress;
use crate::given::{open_file, read_file};
use crate::{private, whole};

const STAGING: &str = "staging-";

/// The cache folder, locked: no other process installs into it meanwhile.
///
/// The lock goes with the process that holds it, so a run that was killed blocks nobody; what it left
/// half-made is removed by the next that takes the lock.
#[derive(Debug)]
pub(super) struct Locked {
    folder: PathBuf,
    _lock: File,
}

impl Locked {
    /// Waits for the lock, and says so if that takes a while.
    pub(super) async fn take(
        folder: &Path,
        progress: &Progress<'_>,
    ) -> Result<Locked, ProvisionError> {
        make_private(folder)?;
        // Absolute: what is run from here must not depend on the working folder.
        let folder = folder.canonicalize().map_err(problem("use the cache folder", folder))?;
        let path = folder.join("install.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(problem("open the lock file", &path))?;
        let mut waited = 0;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(problem("lock", &path)(e)),
                Err(TryLockError::WouldBlock) => {}
            }
            waited += 1;
            if waited == 10 {
                progress(&format!(
                    "waiting for another mono-demo that installs into {}",
                    folder.display()
                ));
            }
            // A file lock can be awaited only on a thread that nothing can cancel.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let locked = Locked { folder, _lock: lock };
        locked.remove_leftovers();
        Ok(locked)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Nobody else is installing, so every staging folder is from a run that was killed.
    fn remove_leftovers(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten() {
            let Ok(entry) = entry else { continue };
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// A private folder to prepare something in; removed when it is dropped.
    pub(super) fn staging(&self) -> Result<TempDir, ProvisionError> {
        tempfile::Builder::new()
            .prefix(STAGING)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.folder)
            .map_err(problem("make a staging folder in", &self.folder))
    }
}

/// Makes a folder, and those above it, that only we can enter.
pub(super) fn make_private(folder: &Path) -> Result<(), ProvisionError> {
    private::folder(folder).map_err(problem("use the folder", folder))
}

/// Makes sure that nobody else could have written what is there, before it is run.
pub(super) fn check_private(path: &Path) -> Result<(), ProvisionError> {
    private::check(path).map_err(problem("trust", path))
}

/// The same for a folder and everything in it, on a blocking thread.
pub(super) async fn check_all_private(folder: &Path) -> Result<(), ProvisionError> {
    let wanted = folder.to_owned();
    let checked = tokio::task::spawn_blocking(move || private::check_all(&wanted));
    checked.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(problem("trust", folder))
}

/// Turns an I/O error into ours.
pub(super) fn problem(
    doing: &'static str,
    path: &Path,
) -> impl Fn(io::Error) -> ProvisionError + use<> {
    let path = path.to_owned();
    move |source| ProvisionError::Cache { doing, path: path.clone(), source }
}

/// Reads a manifest; `None` if there is none, or if it is not one.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_file(path).ok()?).ok()
}

/// Writes a manifest so that it is there whole, or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ProvisionError> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
    let written = text.and_then(|text| whole::write(path, text + "\n"));
    written.map_err(problem("write", path))
}

/// Shows that a file has not been changed since it was stamped.
///
/// The change time is the kernel's: unlike the modification time no program can set it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    inode: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Stamp> {
        let file = std::fs::metadata(path)?;
        Ok(Stamp {
            size: file.size(),
            inode: file.ino(),
            changed_s: file.ctime(),
            changed_ns: file.ctime_nsec(),
        })
    }

    /// The file's size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// A file's sha256 in hex, off the runtime's thread: it takes up to 50 ms.
pub(super) async fn sha256_of_file(path: &Path) -> Result<String, ProvisionError> {
    let wanted = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut file = open_file(&wanted, File::options().read(true))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(HEXLOWER.encode(&hash.finalize())),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    hashed.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(problem("read", path))
}

/// The sha256 of all files below a folder, their names and what links point to; not of `except`.
pub(super) async fn sha256_of_folder(
    folder: &Path,
    except: &'static str,
) -> Result<String, ProvisionError> {
    let wanted = folder.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let (mut folders, mut files) = (vec![wanted.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => folders.push(entry.path()),
                    false if entry.path() != wanted.join(except) => files.push(entry.path()),
                    false => {}
                }
            }
        }
        files.sort();
        let mut hash = Sha256::new();
        for path in files {
            let link = path.is_symlink();
            let content = match link {
                true => path.read_link()?.into_os_string().into_encoded_bytes(),
                false => {
                    let mut bytes = Vec::new();
                    open_file(&path, File::options().read(true))?.read_to_end(&mut bytes)?;
                    bytes
                }
            };
            let name = path.strip_prefix(&wanted).unwrap_or(&path).as_os_str().as_encoded_bytes();
            hash.update(format!("{link} {} {} ", name.len(), content.len()));
            hash.update(name);
            hash.update(content);
        }
        Ok(HEXLOWER.encode(&hash.finalize()))
    });
    hashed.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(problem("read", folder))
}

/// A text's sha256 in hex.
pub(super) fn sha256_of(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
