//! Files that the user names: whatever lies there, reading it has an end.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// No file of settings, keys or certificates is larger.
const MOST: u64 = 4 << 20;

/// What a file holds, or a pipe, as that of `<(command)` in a shell. Whoever writes a pipe may take any
/// time: where other things wait, it belongs on another thread.
///
/// # Errors
/// Those of the file system, or that it is larger than 4 MiB, as a device without an end is.
pub fn read_given(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
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
    let not_text = |_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8");
    String::from_utf8(read_given(path)?).map_err(not_text)
}

/// Reads not on the runtime's thread.
///
/// # Errors
/// As `read`.
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
