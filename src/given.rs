//! Files that the user names, or that lie where they are looked for: whatever lies there, reading it has
//! an end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::private;

/// No file of settings, keys or certificates is larger.
const MOST: u64 = 4 << 20;

/// What a file holds, or a pipe, as that of `<(command)` in a shell. Whoever writes a pipe may take any
/// time: where other things wait, it belongs on another thread.
///
/// # Errors
/// Those of the file system, or that it is larger than 4 MiB, as a device without an end is.
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

/// What a file holds that is looked for, and that nobody named: a pipe in its place is nothing that
/// somebody wants read, and would be waited for.
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

/// What a file holds that is believed, because nobody but this user could have written it.
///
/// # Errors
/// As [`private::check`] and [`read_file`].
pub fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    private::check(path)?;
    read_file(path)
}

/// Opens what must be a file, if anything is there; nothing in its place is waited for.
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

/// Reads not on the runtime's thread.
///
/// # Errors
/// As `read`.
#[cfg(feature = "mono")]
pub(crate) async fn in_background<T: Send + 'static>(
    path: &Path,
    read: fn(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read(&path)).await.unwrap_or_else(|e| Err(e.into()))
}

/// Makes sure that a text begins as PEM readers want it.
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
