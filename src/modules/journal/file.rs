//! The file of a journal, used by its thread only: locked, repaired, read, appended to, synced.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::JournalError;
use super::records::{Damaged, records};
use crate::given::open_file;
use crate::private;

/// The file.
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    sync: bool,
    /// How often it was found to be another file, or a shorter one, than before.
    generation: u64,
    length: u64,
    /// What stood right before `length`: another text there is another file's, put in the place of this.
    end: Vec<u8>,
    /// Damaged lines before this byte have been reported.
    reported: u64,
}

/// So many keys are named.
const NAMED: usize = 20;

/// So much of the end is remembered: a time and a key are in it.
const REMEMBERED: u64 = 128;

impl JournalFile {
    pub(super) fn open(path: &Path, sync: bool) -> Result<Self, JournalError> {
        let file = open(path)?;
        let (path, end) = (path.to_owned(), Vec::new());
        Ok(Self { path, file, sync, generation: 0, length: 0, end, reported: 0 })
    }

    /// Holds the lock while `work` is done, and syncs what it has appended.
    pub(super) fn locked(
        &mut self,
        work: impl FnOnce(&mut Result<Follow<'_>, JournalError>),
    ) -> Result<(), JournalError> {
        let ready = self.lock().and_then(|()| self.mend());
        let file = &self.file;
        let mut follow = ready.map(|appended| Follow {
            file,
            path: &self.path,
            generation: self.generation,
            begin: self.length,
            appended,
            half_from: None,
            reported: &mut self.reported,
        });
        work(&mut follow);
        // Half a line that could not be cut off is cut off next time.
        let appended = follow.ok().filter(|follow| follow.half_from.is_none());
        let appended = appended.map(|follow| follow.appended);
        let synced = match appended != Some(0) && self.sync {
            true => self.file.sync_data().map_err(|e| self.error("sync", e)),
            false => Ok(()),
        };
        let expected = appended.map(|appended| self.length + appended);
        self.length = self.file.metadata().map_or(0, |now| now.len());
        if expected.is_some_and(|expected| self.length != expected) {
            // Whoever writes behind the lock's back leaves nothing that was read to be relied on.
            tracing::warn!(
                "journal {}: it was changed while its lock was held",
                self.path.display()
            );
            self.is_another();
        }
        self.end = before(&self.file, self.length).unwrap_or_default();
        let _ = self.file.unlock();
        synced
    }

    /// What was read of it before says nothing of what is there now.
    fn is_another(&mut self) {
        self.generation += 1;
        self.reported = 0;
        self.end.clear();
    }

    /// Locks the file that is at the path now: the opened one may have been moved or removed.
    fn lock(&mut self) -> Result<(), JournalError> {
        loop {
            self.file.lock().map_err(|e| self.error("lock", e))?;
            let ours = self.file.metadata().map_err(|e| self.error("look at", e))?;
            let there = std::fs::metadata(&self.path);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(());
            }
            let _ = self.file.unlock();
            self.file = open(&self.path)?;
            // Not before: what cannot be opened is told as that, once.
            tracing::warn!("journal {}: it was removed or replaced", self.path.display());
            self.is_another();
        }
    }

    /// Cuts off half a line: whoever wrote it is gone, or could not write on. Says how many
    /// bytes were appended.
    fn mend(&mut self) -> Result<u64, JournalError> {
        let length = self.file.metadata().map_err(|e| self.error("look at", e))?.len();
        if length < self.length {
            tracing::warn!("journal {}: it is shorter than it was", self.path.display());
            self.is_another();
        }
        let end = before(&self.file, self.length.min(length)).map_err(|e| self.error("read", e))?;
        if !self.end.is_empty() && end != self.end {
            tracing::warn!("journal {}: it was replaced, or overwritten", self.path.display());
            self.is_another();
        }
        self.length = length;
        let tail = tail(&self.file, length).map_err(|e| self.error("read", e))?;
        if tail.is_empty() {
            return Ok(0);
        }
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&tail).is_ok() {
            // Only its end is missing.
            let ended = (&self.file).write_all(b"\n").map_err(|e| self.error("append", e));
            return ended.map(|()| 1);
        }
        let whole = length - tail.len() as u64;
        self.file.set_len(whole).map_err(|e| self.error("cut off half a line", e))?;
        self.length = whole;
        tracing::warn!(
            "journal {}: half a line at its end was cut off, {} bytes from byte {whole} on; it was never answered",
            self.path.display(),
            tail.len()
        );
        Ok(0)
    }

    fn error(&self, operation: &'static str, evidence: std::io::Error) -> JournalError {
        JournalError::new(&self.path, operation, evidence)
    }
}

fn open(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    let file = open_file(path, options.create(true).append(true).read(true).mode(0o600));
    file.and_then(|file| private::check(path).map(|()| file))
        .map_err(|e| JournalError::new(path, "open", e))
}

/// What stands right before this byte.
fn before(file: &File, at: u64) -> std::io::Result<Vec<u8>> {
    let from = at.saturating_sub(REMEMBERED);
    let mut text = vec![0; (at - from) as usize];
    file.read_exact_at(&mut text, from).map(|()| text)
}

/// Writes all of it, or says how many bytes it has written, and why no more.
fn write_all(mut file: &File, text: &[u8]) -> Result<(), (u64, std::io::Error)> {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return Err((written as u64, ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err((written as u64, e)),
        }
    }
    Ok(())
}

/// What comes after the last line break.
fn tail(mut file: &File, length: u64) -> std::io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    let mut end = length;
    let mut size = 1;
    while end > 0 {
        let from = end.saturating_sub(size);
        let mut part = vec![0; (end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut part)?;
        let at = part.iter().rposition(|b| *b == b'\n');
        part.drain(..at.map_or(0, |at| at + 1));
        part.append(&mut tail);
        tail = part;
        if at.is_some() {
            break;
        }
        (end, size) = (from, 64 * 1024);
    }
    Ok(tail)
}

/// Logs which lines are passed over, and for which keys that matters.
fn report(path: &Path, damaged: &[&Damaged]) {
    let Some(first) = damaged.first() else { return };
    let lines = match damaged.len() {
        1 => "1 damaged line is".to_owned(),
        n => format!("{n} damaged lines are"),
    };
    let keys: Vec<&str> = damaged.iter().flat_map(|line| line.keys()).map(String::as_str).collect();
    let named = keys[..keys.len().min(NAMED)].join(", ");
    let waits = match keys.len() {
        0 => String::new(),
        all if all > NAMED => {
            format!("; what needs one of {all} keys waits, of {named} and others")
        }
        _ => format!("; what needs one of these keys waits: {named}"),
    };
    tracing::warn!("journal {}: {lines} passed over; the first {first}{waits}", path.display());
}

/// Reads a journal, and appends to it, while its lock is held.
pub struct Follow<'a> {
    file: &'a File,
    path: &'a Path,
    generation: u64,
    /// Where it ended when it was locked, and how many bytes came since.
    begin: u64,
    appended: u64,
    /// Where half a line begins that a write has left, and that could not be cut off.
    half_from: Option<u64>,
    reported: &'a mut u64,
}

impl Follow<'_> {
    /// Another number than before says that it is another file, to be read from its beginning.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The records from byte `offset` on, the lines that are none, and the offset after them. Such lines
    /// are reported in the log, each once.
    ///
    /// # Errors
    /// [`JournalError`] if the file cannot be read.
    pub fn since<T: DeserializeOwned>(
        &mut self,
        offset: u64,
    ) -> Result<(Vec<T>, Vec<Damaged>, u64), JournalError> {
        self.cut_off()?;
        if offset == self.begin + self.appended {
            // Nobody else has written since.
            return Ok((Vec::new(), Vec::new(), offset));
        }
        let mut text = Vec::new();
        let mut file = self.file;
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_to_end(&mut text))
            .map_err(|e| JournalError::new(self.path, "read", e))?;
        let (records, damaged) = records(&text, offset);
        let new: Vec<&Damaged> = damaged.iter().filter(|line| line.at >= *self.reported).collect();
        report(self.path, &new);
        let end = offset + read as u64;
        *self.reported = end.max(*self.reported);
        Ok((records, damaged, end))
    }

    /// What is wrong with what is in it.
    pub fn error(&self, operation: &'static str, evidence: String) -> JournalError {
        JournalError { content: true, ..JournalError::new(self.path, operation, evidence) }
    }

    /// Appends one line, and returns how many bytes it has.
    ///
    /// # Errors
    /// [`JournalError`]: nothing of it is there.
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<u64, JournalError> {
        let mut line =
            serde_json::to_vec(record).map_err(|e| JournalError::new(self.path, "encode", e))?;
        line.push(b'\n');
        self.append_text(&line).map(|()| line.len() as u64)
    }

    /// Appends whole lines: all of them or none.
    pub(super) fn append_text(&mut self, text: &[u8]) -> Result<(), JournalError> {
        // Nothing is ever joined to half a line.
        self.cut_off()?;
        let Err((written, e)) = write_all(self.file, text) else {
            self.appended += text.len() as u64;
            return Ok(());
        };
        if written > 0 {
            // A full disk takes a part.
            let length = self.file.metadata().map(|now| now.len());
            let before = length.map_or(self.begin + self.appended, |now| now - written);
            self.half_from = Some(before);
            if let Err(error) = self.cut_off() {
                tracing::warn!("{error}; half a line is left until it can be");
            }
        }
        Err(JournalError::new(self.path, "append", e))
    }

    /// Cuts off what a write that failed has left, if it is there still.
    fn cut_off(&mut self) -> Result<(), JournalError> {
        let Some(whole) = self.half_from else { return Ok(()) };
        let cut = self.file.set_len(whole);
        cut.map_err(|e| JournalError::new(self.path, "cut off half a line", e))?;
        self.half_from = None;
        Ok(())
    }
}
