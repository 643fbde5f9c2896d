//! Replaces files atomically: a reader sees the new file complete or the old one, also after a kill
//! or a power loss.
//!
//! A temporary file in the same folder is written, synced and renamed, and then the folder is
//! synced, because a power loss may otherwise undo the rename. All functions block: call them on a
//! blocking thread where a runtime waits.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file for this user only (0600).
///
/// # Errors
/// Those of the file system; the old file is then still there. Exception: if only the last sync of
/// the folder fails, the new file is in its place, and a power loss may undo that.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let file = beside(path, 0o600, text.as_ref())?;
    file.persist(path)?;
    sync_folder_of(path)
}

/// The same without the syncs: a reader sees one file or the other whole, and a power loss may leave neither.
/// For what means nothing after one, as who runs just now.
///
/// # Errors
/// Those of the file system; the old file is then still there.
pub fn write_for_now(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    unsynced(path, 0o600, text.as_ref())?.persist(path)?;
    Ok(())
}

/// As [`write()`], unless the file exists: then it stays, also if another process creates it at this
/// moment.
///
/// # Errors
/// As [`write()`].
pub fn write_first(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let file = beside(path, 0o600, text.as_ref())?;
    match file.persist_noclobber(path) {
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e.error),
        Ok(_) => sync_folder_of(path),
    }
}

/// Writes a file that others may read too, as the umask allows. An existing file keeps its
/// permissions, and a link to it stays a link.
///
/// # Errors
/// As [`write()`].
pub fn write_public(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = beside(&path, 0o644, text.as_ref())?;
    if let Ok(there) = path.metadata() {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.persist(&path)?;
    sync_folder_of(&path)
}

/// As [`write_public`], where there is no such file.
///
/// # Errors
/// As [`write()`]; [`ErrorKind::AlreadyExists`] also where another process creates it at this moment.
pub fn write_new(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let file = beside(path, 0o644, text.as_ref())?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    sync_folder_of(path)
}

/// Checks whether [`write_public`] could write there now; changes nothing.
///
/// # Errors
/// As [`write()`].
pub fn try_public(path: &Path) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    is_replaceable(&path)?;
    unnamed(&folder_of(&path), b"")
}

/// Checks whether [`write()`] could write a page there now, as on a disk that is not full; changes nothing.
///
/// # Errors
/// As [`write()`].
pub fn try_page(path: &Path) -> io::Result<()> {
    is_replaceable(path)?;
    try_in(&folder_of(path))
}

/// The same of a folder, under whatever name.
///
/// # Errors
/// Those of the file system.
pub fn try_in(folder: &Path) -> io::Result<()> {
    // So much as the files have that are written so; a disk without a block left takes none of it.
    unnamed(folder, &[b' '; 1024])
}

/// Without a name, so that nothing is left whenever this process ends.
fn unnamed(folder: &Path, text: &[u8]) -> io::Result<()> {
    tempfile::tempfile_in(folder).map_err(|e| without_its_path(&e))?.write_all(text)
}

/// Renames a file or a folder; the caller has synced its content if that must survive a power loss.
///
/// # Errors
/// Those of the file system. Where a folder cannot be synced, it has been renamed.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_folder_of(to)?;
    // Else both names may be there afterwards.
    sync_folder_of(from)
}

/// A temporary file in the same folder with the text, synced to disk; removed when it is dropped.
fn beside(path: &Path, mode: u32, text: &[u8]) -> io::Result<NamedTempFile> {
    let file = unsynced(path, mode, text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The same, and only the system has it.
fn unsynced(path: &Path, mode: u32, text: &[u8]) -> io::Result<NamedTempFile> {
    is_replaceable(path)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder_of(path))
        .map_err(|e| without_its_path(&e))?;
    // Its own `write_all` would name it in an error.
    file.as_file_mut().write_all(text)?;
    Ok(file)
}

/// A rename would put a file in the place of a device.
fn is_replaceable(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() && !there.is_symlink() => {
            Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"))
        }
        _ => Ok(()),
    }
}

/// What the system said, without the path of a temporary file, which would only puzzle.
fn without_its_path(error: &io::Error) -> io::Error {
    let said = error.get_ref().and_then(|wrapped| wrapped.source()?.downcast_ref::<io::Error>());
    if let Some(code) = said.unwrap_or(error).raw_os_error() {
        return io::Error::from_raw_os_error(code);
    }
    let said = error.to_string();
    let words = said.rsplit_once(" at path ").map_or(&*said, |(words, _)| words);
    io::Error::new(error.kind(), words.to_owned())
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path))?.sync_all() {
        // Some file systems cannot sync a folder, for example network file systems.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// The folder of a bare name is the working folder.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_for_its_user_only_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // Whoever made it readable before: the new one is not.
        std::fs::write(&path, "old").unwrap();
        write(&path, "new").unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("new", 0o600));
        write_first(&path, "newer").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        write_for_now(&path, "for now").unwrap();
        let now = std::fs::read_to_string(&path).unwrap();
        assert_eq!((now.as_str(), mode(&path)), ("for now", 0o600));
        rename(&path, &folder.path().join("b")).unwrap();
        assert_eq!(names(folder.path()), ["b"]);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // A folder cannot be replaced by a file.
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, "new").is_err() && write_for_now(&path, "new").is_err());
        assert!(write(&folder.path().join("missing/a"), "new").is_err());
        assert!(
            try_public(&path).is_err() && try_public(&folder.path().join("missing/a")).is_err()
        );
        try_public(&folder.path().join("b")).unwrap();
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_public_file_keeps_its_permissions_and_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        write_public(&path, "1").unwrap();
        assert_eq!(mode(&path), 0o644);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_public(&link, "2").unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("2", 0o640));
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
}
