//! Reads files that the user names, or that are at a known path: reading ends, whatever is there.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::private;

/// No file of settings, keys or certificates is larger.
const MOST: u64 = 4 << 20;

/// Reads a file, or a pipe such as `<(command)` of a shell. The writer of a pipe may take any time:
/// call this on a blocking thread where a runtime waits.
///
/// # Errors
/// Those of the file system, or that it is larger than 4 MiB, such as an endless device.
pub fn read_given(path: &Path) -> io::Result<Vec<u8>> {
    whole(File::open(path)?)
}

fn whole(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => {
            Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 4 MiB, or has no end"))
        }
        false => Ok(bytes),
    }
}

/// The same as text.
///
/// # Errors
/// As [`read_given`], or that it is not UTF-8.
pub fn read_given_text(path: &Path) -> io::Result<String> {
    text(read_given(path)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    let not_text = |_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8");
    String::from_utf8(bytes).map_err(not_text)
}

/// Reads a file at a known path, which nobody named: a pipe in its place is refused, because
/// reading it could wait for ever.
///
/// # Errors
/// As [`read_given`], or that it is not a file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    whole(open_file(path, OpenOptions::new().read(true))?)
}

/// The same as text.
///
/// # Errors
/// As [`read_file`], or that it is not UTF-8.
pub fn read_file_text(path: &Path) -> io::Result<String> {
    text(read_file(path)?)
}

/// Reads a file that is trusted, because only this user could have written it.
///
/// # Errors
/// As [`private::check`] and [`read_file`].
pub fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    private::check(path)?;
    read_file(path)
}

/// Opens a path that must be a regular file, without waiting for a pipe in its place.
///
/// # Errors
/// Those of the file system, or that it is not a file.
pub fn open_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
    }
    // Nor one that takes its place meanwhile.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Reads on a blocking thread.
///
/// # Errors
/// As `read`.
#[cfg(any(feature = "broker", feature = "mono"))]
pub(crate) async fn in_background<T: Send + 'static>(
    path: &Path,
    read: fn(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read(&path)).await.unwrap_or_else(|e| Err(e.into()))
}

/// Makes sure that a text begins in a way that PEM readers accept.
///
/// # Errors
/// What to do about it.
pub fn no_byte_order_mark(pem: &[u8]) -> Result<(), &'static str> {
    match pem.starts_with(b"\xef\xbb\xbf") {
        true => Err("it begins with a byte order mark, so that nobody finds the PEM in its first \
                     line: save it without one"),
        false => Ok(()),
    }
}
