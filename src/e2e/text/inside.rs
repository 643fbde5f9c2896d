//! Reads the files of a suite: regular files, inside its folder, of a limited size.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The largest fixture or golden file, in bytes.
pub(in crate::e2e) const LARGEST_TEXT: u64 = 4 << 20;
/// The largest body that a fixture takes from a file: what a server lets through at most.
pub(in crate::e2e) const LARGEST_BODY: u64 = 64 << 20;

/// Whether a path, as it is written, stays below the folder to which it is relative.
pub(in crate::e2e) fn stays_below(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    !path.contains('\\') && path.split('/').all(plain)
}

/// The bytes of a file that is, links resolved, in `folder` or below it.
///
/// # Errors
/// The system's reason; or that it leaves the folder, is no plain file (a pipe would be waited for),
/// or is larger than `most` bytes.
pub(in crate::e2e) fn read(folder: &Path, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let refuse = |what: String| Err(io::Error::other(what));
    let (folder, path) = (folder.canonicalize()?, path.canonicalize()?);
    if !path.starts_with(&folder) {
        return refuse(format!("it leads out of the folder {}", folder.display()));
    }
    let found = fs::metadata(&path)?;
    if !found.is_file() {
        return refuse("it is not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(&path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return refuse(format!("it is larger than {most} bytes"));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`]; or that it is not UTF-8.
pub(in crate::e2e) fn read_text(folder: &Path, path: &Path) -> io::Result<String> {
    String::from_utf8(read(folder, path, LARGEST_TEXT)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}
