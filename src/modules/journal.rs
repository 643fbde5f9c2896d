//! A journal that several processes write: JSON lines behind a file lock.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("journal {}: {operation}: {evidence}", path.display())]
pub struct JournalError {
    path: PathBuf,
    operation: &'static str,
    evidence: String,
}

/// An append-only file of JSON lines.
///
/// Writers lock the file for each append, so lines of several processes never mix, and what was
/// appended survives a process that is killed (not a power cut: see `sync`).
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    sync: bool,
}

impl Journal {
    /// Opens or makes the file; with `sync` each line is on disk before an append returns.
    ///
    /// # Errors
    /// [`JournalError`] names the path.
    pub fn open(path: impl Into<PathBuf>, sync: bool) -> Result<Self, JournalError> {
        let path = path.into();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| JournalError {
                path: path.clone(),
                operation: "open",
                evidence: e.to_string(),
            })?;
        Ok(Self { path, file: Mutex::new(file), sync })
    }

    /// Opens a file that must exist, to read what is in it.
    ///
    /// # Errors
    /// [`JournalError`] names the path.
    pub fn read_only(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        let file = File::open(&path).map_err(|e| JournalError {
            path: path.clone(),
            operation: "open",
            evidence: e.to_string(),
        })?;
        Ok(Self { path, file: Mutex::new(file), sync: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its bytes, none of a line that is being written.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn whole(&self) -> Result<Vec<u8>, JournalError> {
        let mut text = Vec::new();
        self.transact(|follow| {
            let mut file = follow.file;
            let read = file.rewind().and_then(|()| file.read_to_end(&mut text));
            read.map_err(|e| JournalError {
                path: self.path.clone(),
                operation: "read",
                evidence: e.to_string(),
            })?;
            Ok(None::<()>)
        })?;
        Ok(text)
    }

    /// Appends one line.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn append<T: Serialize>(&self, record: &T) -> Result<(), JournalError> {
        self.transact(|_: &mut Follow<'_>| Ok(Some(record)))
    }

    /// Holds the lock while `decide` reads what others wrote and says what to append.
    ///
    /// # Errors
    /// [`JournalError`]; a line that cannot be read is one, with its number.
    pub fn transact<T: Serialize>(
        &self,
        decide: impl FnOnce(&mut Follow<'_>) -> Result<Option<T>, JournalError>,
    ) -> Result<(), JournalError> {
        let error = |operation, e: &dyn std::fmt::Display| JournalError {
            path: self.path.clone(),
            operation,
            evidence: e.to_string(),
        };
        let file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.lock().map_err(|e| error("lock", &e))?;
        let mut follow = Follow { file: &file, path: &self.path };
        let result = decide(&mut follow).and_then(|record| {
            let Some(record) = record else { return Ok(()) };
            let mut line = serde_json::to_vec(&record).map_err(|e| error("encode", &e))?;
            line.push(b'\n');
            // One write: a process killed here leaves the whole line or nothing of it.
            (&*file).write_all(&line).map_err(|e| error("append", &e))?;
            if self.sync {
                file.sync_data().map_err(|e| error("sync", &e))?;
            }
            Ok(())
        });
        file.unlock().map_err(|e| error("unlock", &e))?;
        result
    }
}

/// Reads a journal while its lock is held.
pub struct Follow<'a> {
    file: &'a File,
    path: &'a Path,
}

impl Follow<'_> {
    /// The records from byte `offset` on, and the offset after them.
    ///
    /// # Errors
    /// [`JournalError`]; nothing unreadable is passed over in silence.
    pub fn since<T: DeserializeOwned>(
        &mut self,
        offset: u64,
    ) -> Result<(Vec<T>, u64), JournalError> {
        let error = |operation, evidence: String| JournalError {
            path: self.path.to_owned(),
            operation,
            evidence,
        };
        let mut text = String::new();
        let mut file = self.file;
        file.seek(SeekFrom::Start(offset)).map_err(|e| error("seek", e.to_string()))?;
        let read = file.read_to_string(&mut text).map_err(|e| error("read", e.to_string()))?;
        let records = text
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .map_err(|e| error("read", format!("after byte {offset}: {e}: {line}")))
            })
            .collect::<Result<_, _>>()?;
        Ok((records, offset + read as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_writer_appends_another_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        let (a, b) = (Journal::open(&path, false).unwrap(), Journal::open(&path, true).unwrap());
        a.append(&1).unwrap();
        b.append(&2).unwrap();
        let mut seen = (Vec::<u32>::new(), 0);
        b.transact(|follow| {
            seen = follow.since(0)?;
            Ok(Some(3))
        })
        .unwrap();
        assert_eq!(seen.0, [1, 2]);
        a.transact(|follow| {
            seen = follow.since(seen.1)?;
            Ok(None::<u32>)
        })
        .unwrap();
        assert_eq!(seen.0, [3]);
    }

    #[test]
    fn a_damaged_line_is_an_error_that_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        std::fs::write(&path, "1\n{\n").unwrap();
        let journal = Journal::open(&path, false).unwrap();
        let error = journal.transact(|f| f.since::<u32>(0).map(|_| None::<u32>)).unwrap_err();
        assert!(error.to_string().contains("j.jsonl"), "{error}");
    }
}
