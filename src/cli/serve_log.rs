//! The log of a `serve`: what it says on stdout and stderr, also in a file beside the one that it is found
//! by, of bounded size. `logs` reads it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::whole;

/// How large a part may be. There are two, the current one and the one before it.
const PART_BYTES: u64 = 512 * 1024;

/// How often a reader that finds the parts changing under it looks again.
const LOOKS: usize = 10;

/// The part before the current one.
fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// Writes the log, line by line.
#[derive(Debug, Clone)]
pub struct LogWriter(Arc<Mutex<Part>>);

#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// The log is there while this is held.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    pub writer: LogWriter,
}

impl LogFile {
    /// Begins a log for this user only; a former process of this number may have left one.
    ///
    /// # Errors
    /// The path and the operating system's words.
    pub fn begin(path: PathBuf) -> Result<Self, String> {
        let file = new(&path).map_err(|e| format!("begin the log {}: {e}", path.display()))?;
        let _ = std::fs::remove_file(older(&path));
        let part = Part { path: path.clone(), file, bytes: 0 };
        Ok(Self { path, writer: LogWriter(Arc::new(Mutex::new(part))) })
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        remove_log(&self.path);
    }
}

/// Removes all parts of a log.
fn remove_log(path: &Path) {
    for part in [path.to_owned(), older(path)] {
        let _ = std::fs::remove_file(part);
    }
}

fn new(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

impl LogWriter {
    /// Writes these lines, each with the time. What cannot be written is missing in the log, and nothing
    /// else comes of it.
    pub fn write(&self, text: &str) {
        let now = format!("{:.3}", Timestamp::now());
        let lines: String = text.lines().map(|line| format!("{now} {line}\n")).collect();
        let mut part = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = part.append(lines.as_bytes());
    }
}

impl Part {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + lines.len() as u64 > PART_BYTES {
            whole::rename(&self.path, &older(&self.path))?;
            (self.file, self.bytes) = (new(&self.path)?, 0);
        }
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

/// Reads a log that is being written.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    file: File,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl LogReader {
    /// The last lines that are there, and a reader of those that follow.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path, last: usize) -> io::Result<(Vec<String>, Self)> {
        let mut reader = Self { path: path.to_owned(), file: File::open(path)?, begun: Vec::new() };
        let mut lines = Vec::new();
        for _ in 0..LOOKS {
            lines = match File::open(older(path)) {
                // The current part has become the older one since it was opened.
                Ok(older) if same(&older, &reader.file)? => {
                    reader.file = File::open(path)?;
                    continue;
                }
                Ok(older) => Self { file: older, ..reader.beginning()? }.rest()?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(e) => return Err(e),
            };
            break;
        }
        lines.extend(reader.rest()?);
        lines.drain(..lines.len().saturating_sub(last));
        Ok((lines, reader))
    }

    fn beginning(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), file: self.file.try_clone()?, begun: Vec::new() })
    }

    /// The lines that were written since.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn more(&mut self) -> io::Result<Vec<String>> {
        let mut lines = self.rest()?;
        match File::open(&self.path) {
            Ok(current) if !same(&current, &self.file)? => {
                // What came between our last look and the change of the part.
                lines.extend(self.rest()?);
                self.file = current;
                lines.extend(self.rest()?);
            }
            // It goes with its `serve`, whose last words are read.
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        Ok(lines)
    }

    fn rest(&mut self) -> io::Result<Vec<String>> {
        self.file.read_to_end(&mut self.begun)?;
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let begun = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, begun);
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}

fn same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without their times.
    fn words(lines: &[String]) -> Vec<&str> {
        lines.iter().map(|line| line.split_once(' ').unwrap().1).collect()
    }

    #[test]
    fn the_last_lines_are_read_and_those_that_follow_also_in_the_next_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve-1.log");
        let log = LogFile::begin(path.clone()).unwrap();
        log.writer.write("a\nb");
        log.writer.write("c");
        let (lines, mut reader) = LogReader::open(&path, 2).unwrap();
        assert_eq!(words(&lines), ["b", "c"]);
        assert!(reader.more().unwrap().is_empty());
        log.writer.write("d");
        assert_eq!(words(&reader.more().unwrap()), ["d"]);
        log.writer.write("e");
        let long = "x".repeat(usize::try_from(PART_BYTES).unwrap() - 100);
        log.writer.write(&long);
        log.writer.write("f");
        let more = reader.more().unwrap();
        assert_eq!(words(&more), ["e", long.as_str(), "f"]);
        let (lines, _) = LogReader::open(&path, 1000).unwrap();
        assert_eq!(words(&lines).last(), Some(&"f"));
        log.writer.write("g");
        drop(log);
        assert_eq!(words(&reader.more().unwrap()), ["g"], "the last words of one that has ended");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "it goes with its `serve`");
    }

    #[test]
    fn it_never_grows_beyond_two_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve-1.log");
        let log = LogFile::begin(path.clone()).unwrap();
        for _ in 0..40 {
            log.writer.write(&"y".repeat(64 * 1024));
        }
        let sizes = folder.path().read_dir().unwrap().map(|e| e.unwrap().metadata().unwrap().len());
        let sizes: Vec<u64> = sizes.collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= PART_BYTES), "{sizes:?}");
    }
}
