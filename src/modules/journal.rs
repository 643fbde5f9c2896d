//! A journal that several processes write: JSON lines behind a file lock, on a thread of its own.
//!
//! A lock that another process holds, or a slow disk, may delay a journal for any time. So only one
//! thread uses the file, and the end of the program does not wait for that thread. Callers await
//! their requests to it, and can give up. All requests that come while it is busy share one lock
//! and one sync.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

pub use error::JournalError;
pub use file::Follow;
use file::JournalFile;
use lines::{Line, Lines, Told};
pub use records::Damaged;
use records::records;

use crate::given::open_file;
use crate::private;

mod error;
mod file;
mod lines;
mod records;

/// After this long a waiting caller logs what it waits for.
const SLOW: Duration = Duration::from_secs(1);
/// After this much longer the wait is given up, because the caller has other work to do.
const LIMIT: Duration = Duration::from_secs(5);
/// The most requests under one lock, so that other processes have their turn.
const BATCH: usize = 256;
/// The most requests that wait for the thread, given-up ones included; further ones wait for a
/// place.
const QUEUE: usize = 4 * BATCH;

/// What a caller asks of the thread.
enum Task {
    /// One line more.
    Append(Line),
    /// This.
    Do(Work),
}

/// What is done while the lock is held; then, when all is synced, what is told of it.
type Work = Box<dyn FnOnce(Result<&mut Follow<'_>, JournalError>) -> Told + Send>;

/// An append-only file of JSON lines.
///
/// Writers lock the file for each append, so lines of several processes never mix, and what was
/// appended survives a process that is killed (not a power cut: see `sync`). A line is there whole or
/// not at all: half a line, which a full disk or a kill has left, is cut off and reported.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    work: mpsc::Sender<Task>,
    waiting: Arc<Waiting>,
    /// Why it cannot be used, as far as it was told; empty while it can.
    told: Mutex<HashSet<String>>,
}

impl Journal {
    /// Opens or makes the file; with `sync` each line is on disk before an append returns.
    ///
    /// # Errors
    /// [`JournalError`] names the path.
    pub fn open(path: impl Into<PathBuf>, sync: bool) -> Result<Self, JournalError> {
        let path = path.into();
        let file = JournalFile::open(&path, sync)?;
        let (work, todo) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Waiting { path: path.clone(), told: AtomicBool::new(false) });
        let waits = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run(file, todo, &waits))
            .map_err(|e| JournalError::new(&path, "start its thread", e))?;
        Ok(Self { path, work, waiting, told: Mutex::default() })
    }

    /// Looks through the file for lines that are no `T` and reports them in the log; half a line at
    /// the end is cut off by that, and reported too. Where somebody holds its lock it says so and
    /// returns; the file is looked through when the lock is free. Where `beside` says what speaks for
    /// records, that there are none is reported with it.
    pub async fn examine<T: DeserializeOwned + 'static>(&self, beside: Option<String>) {
        let (path, (tell, done)) = (self.path.clone(), oneshot::channel());
        let work: Work = Box::new(move |follow| {
            let examined = follow.and_then(|follow| follow.since::<T>(0));
            let examined = examined.map(|(records, ..)| {
                if let Some(beside) = beside.filter(|_| records.is_empty()) {
                    tracing::warn!("journal {}: no record is in it, and {beside}", path.display());
                }
            });
            Box::new(move |_| {
                if let Err(Err(error)) = tell.send(examined) {
                    tracing::warn!("{error}; it was not looked through");
                }
            })
        });
        let examined = async { self.work.send(Task::Do(work)).await.ok().and(done.await.ok()) };
        match tokio::time::timeout(SLOW, examined).await {
            Ok(Some(examined)) => self.say_whether_it_can_be_used(examined.as_ref().err()),
            Ok(None) => self.say_whether_it_can_be_used(Some(&self.has_ended())),
            Err(_) => self.waiting.begins(),
        }
    }

    /// Appends one line.
    ///
    /// # Errors
    /// [`JournalError`]: it was not appended.
    pub async fn append<T: Serialize>(&self, record: &T) -> Result<(), JournalError> {
        let (tell, done) = oneshot::channel();
        let line = Line { text: self.encoded(record)?, tell };
        self.answered(self.enqueue(Task::Append(line), done)).await
    }

    /// Holds the lock while `work` reads what others wrote and appends; returns once it is synced,
    /// where that was asked for. What is given up before its turn came is not done.
    ///
    /// # Errors
    /// [`JournalError`], that of `work` among them; also after 6 s without an answer, when it is
    /// unknown whether it is done.
    pub async fn transact<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Follow<'_>) -> Result<R, JournalError> + Send + 'static,
    ) -> Result<R, JournalError> {
        let (tell, done) = oneshot::channel();
        let work: Work = Box::new(move |follow| {
            if tell.is_closed() {
                return Box::new(|_| {});
            }
            let result = follow.and_then(work);
            Box::new(move |synced| {
                let _ = tell.send(synced.and(result));
            })
        });
        self.answered(self.enqueue(Task::Do(work), done)).await
    }

    /// The answer, for as long as it is waited for.
    async fn answered<R>(
        &self,
        done: impl Future<Output = Result<R, JournalError>>,
    ) -> Result<R, JournalError> {
        let mut done = pin!(done);
        let answer = match tokio::time::timeout(SLOW, &mut done).await {
            Ok(answer) => answer,
            Err(_) => {
                self.waiting.begins();
                let waited = tokio::time::timeout(LIMIT, done).await;
                waited.map_err(|_| {
                    JournalError::new(
                        &self.path,
                        "wait for its lock, or the disk",
                        "it takes too long",
                    )
                })?
            }
        };
        // It may have come just before the wait was told.
        self.waiting.ends();
        self.say_whether_it_can_be_used(answer.as_ref().err());
        answer
    }

    /// Logs each cause once, and once when the journal can be used again.
    fn say_whether_it_can_be_used(&self, error: Option<&JournalError>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match error.filter(|error| !error.content) {
            Some(error) if told.insert(error.to_string()) => {
                tracing::warn!("{error}; what needs it waits");
            }
            None if !told.is_empty() => {
                told.clear();
                tracing::warn!("journal {}: it can be used again", self.path.display());
            }
            _ => {}
        }
    }

    fn encoded<T: Serialize>(&self, record: &T) -> Result<Vec<u8>, JournalError> {
        let mut line =
            serde_json::to_vec(record).map_err(|e| JournalError::new(&self.path, "encode", e))?;
        line.push(b'\n');
        Ok(line)
    }

    async fn enqueue<R>(
        &self,
        task: Task,
        done: oneshot::Receiver<Result<R, JournalError>>,
    ) -> Result<R, JournalError> {
        // Not by `send` at once: where its task has used up its turn, the runtime lets that wait, and
        // what is asked for next would come first.
        let entered = match self.work.try_send(task) {
            Err(TrySendError::Full(task)) => self.work.send(task).await.is_ok(),
            entered => entered.is_ok(),
        };
        match entered {
            true => done.await.unwrap_or_else(|_| Err(self.has_ended())),
            false => Err(self.has_ended()),
        }
    }

    fn has_ended(&self) -> JournalError {
        JournalError::new(&self.path, "write", "its thread ended")
    }
}

/// A wait for the lock or the disk: logged once when it begins, and once when it is over.
#[derive(Debug)]
struct Waiting {
    path: PathBuf,
    told: AtomicBool,
}

impl Waiting {
    fn begins(&self) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            "waiting for the journal {}: another process holds its lock, or the disk is slow",
            self.path.display()
        );
    }

    fn ends(&self) {
        if self.told.swap(false, Ordering::Relaxed) {
            tracing::warn!("the journal {} is waited for no more", self.path.display());
        }
    }
}

/// Does what there is to do, as much at a time as has come in.
fn run(mut file: JournalFile, mut todo: mpsc::Receiver<Task>, waiting: &Waiting) {
    while let Some(first) = todo.blocking_recv() {
        let mut told: Vec<Told> = Vec::new();
        let synced = file.locked(|file| {
            let (mut next, mut lines) = (Some(first), Lines::default());
            for _ in 0..BATCH {
                match next.take().or_else(|| todo.try_recv().ok()) {
                    Some(Task::Append(line)) => lines.add(line),
                    Some(Task::Do(work)) => {
                        told.extend(lines.append(file));
                        told.push(match file {
                            Ok(follow) => work(Ok(follow)),
                            Err(error) => work(Err(error.clone())),
                        });
                    }
                    None => break,
                }
            }
            told.extend(lines.append(file));
        });
        // Also where nobody waits for an answer any more.
        waiting.ends();
        for tell in told {
            tell(synced.clone());
        }
    }
}

/// The content of a journal that is only read.
#[derive(Debug)]
pub struct Contents<T> {
    /// In the order in which they were appended.
    pub records: Vec<T>,
    /// Whole lines that are no record.
    pub damaged: Vec<Damaged>,
    /// Half a line at the end: whoever appends next cuts it off.
    pub torn: Option<Damaged>,
}

/// The records of a file that is only read, and what is no record in it.
///
/// # Errors
/// [`JournalError`] names the path.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Contents<T>, JournalError> {
    let whole = |mut file: File| {
        let mut text = Vec::new();
        file.read_to_end(&mut text).map(|_| text)
    };
    let text = private::check(path)
        .and_then(|()| open_file(path, OpenOptions::new().read(true)))
        .and_then(whole)
        .map_err(|e| JournalError::new(path, "read", e))?;
    let (records, mut damaged) = records(&text, 0);
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let torn = damaged.pop_if(|last| last.at >= whole as u64);
    Ok(Contents { records, damaged, torn })
}

#[cfg(test)]
mod tests;
