//! One supervised process group: signal it, wait for it, read it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::ChildStdin;
use tokio::sync::{mpsc, oneshot, watch};

use super::attendant::Attendant;
use super::channel::{Answers, hear, lock, release};
use super::control::{Report, Request};
use super::counts::{Counts, Pipe};
use super::drain::{StdoutError, StdoutSink, drain_stderr, drain_stdout};
use super::error::{SignalError, SpawnError};
use super::line_log::{LineLog, Lines};
use super::output::Output;
use super::remove::remove_tree;
use super::spawn::{Reaper, Spawn};
use super::start::{Started, log_file, start};
use super::status::{ExitStatus, Signal};

/// How long a reaper may take to pass a signal on; it needs a tenth of a millisecond.
const ANSWERS: Duration = Duration::from_secs(5);

/// One supervised process group.
///
/// Its stdout and stderr are drained for life. Dropping it closes the reaper's channel: the whole
/// group is ended with SIGKILL, and the `remove_on_exit` folders are removed, without waiting.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mono_demo::process::{Child, Reaper, Spawn};
/// let reaper = Reaper::new(std::env::current_exe()?, std::env::temp_dir());
/// let child = Child::spawn(&reaper, Spawn::new("sleeper", "sleep").arg("60")).await?;
/// let status = child.stop(std::time::Duration::from_secs(1)).await?;
/// assert_eq!(status.to_string(), "signal 15 (SIGTERM)");
/// # Ok(()) }
/// ```
pub struct Child {
    name: String,
    pid: u32,
    /// Dropping it shuts our side of the channel, which ends the group.
    requests: tokio::sync::Mutex<OwnedWriteHalf>,
    next_id: AtomicU64,
    answers: Answers,
    status: watch::Receiver<Option<ExitStatus>>,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Mutex<Option<mpsc::Receiver<Result<String, StdoutError>>>>,
    stdout_taken: Arc<AtomicBool>,
    stderr: Arc<LineLog>,
    written: Arc<Counts>,
    /// All of stdout and stderr, if they are kept.
    outputs: Option<[Output; 2]>,
    reaper: Attendant,
    remove_on_exit: Vec<PathBuf>,
}

/// How a child ended that was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// How it ended.
    pub status: ExitStatus,
    /// It had not ended in time, and was killed by us.
    pub was_killed: bool,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.name)
            .field("pid", &self.pid)
            .field("status", &self.try_status())
            .finish_non_exhaustive()
    }
}

impl Child {
    /// Starts a reaper, and through it the program.
    ///
    /// # Errors
    /// At once, if the reaper or the program cannot be started. The caller must then remove the
    /// `remove_on_exit` folders.
    pub async fn spawn(reaper: &Reaper, spawn: Spawn) -> Result<Child, SpawnError> {
        let log = log_file(&spawn)?;
        let Started { pid, reports, requests, stdin, stdout, stderr, reaper } =
            start(reaper, &spawn).await?;
        let (lines, written) = (LineLog::new(), Counts::new());
        let stdout_taken = Arc::new(AtomicBool::new(false));
        let outputs = spawn.keep_output.then(<[Output; 2]>::default);
        let [whole_stdout, whole_stderr] =
            outputs.clone().map_or([None, None], |both| both.map(Some));
        let (sink, stdout_lines) = StdoutSink::new(lines.clone(), stdout_taken.clone());
        if let Some(pipe) = stderr {
            let (lines, written) = (lines.clone(), written.clone());
            tokio::spawn(drain_stderr(pipe, lines, written, whole_stderr, log, spawn.only_logged));
        }
        if let Some(pipe) = stdout {
            tokio::spawn(drain_stdout(pipe, sink, written.clone(), whole_stdout));
        }
        let answers = Answers::default();
        let (status_sender, status) = watch::channel(None);
        tokio::spawn(hear(reports, answers.clone(), status_sender));

        Ok(Child {
            name: spawn.name,
            pid,
            requests: tokio::sync::Mutex::new(requests),
            next_id: AtomicU64::new(1),
            answers,
            status,
            stdin: Mutex::new(stdin),
            stdout: Mutex::new(Some(stdout_lines)),
            stdout_taken,
            stderr: lines,
            written,
            outputs,
            reaper,
            remove_on_exit: spawn.remove_on_exit,
        })
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pid of the program, not of its reaper.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the child's whole process group; after a [`Signal::Stop`] the child has
    /// stopped when this returns.
    ///
    /// # Errors
    /// [`SignalError::Exited`] if the child has already ended: nothing was signalled then.
    pub async fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.answers).insert(id, answer);
        let request = Request::Signal { id, signal }.to_string();
        let written = {
            let mut requests = self.requests.lock().await;
            requests.write_all(request.as_bytes()).await
        };
        let answer = match (written, signal) {
            // A child that the kernel is busy with, as with a slow disk, takes its time to stand still.
            (Ok(()), Signal::Stop) => answered.await.ok(),
            (Ok(()), _) => self.reaper.answer(ANSWERS, answered).await.and_then(Result::ok),
            (Err(_), _) => None,
        };
        match answer {
            Some(Report::Delivered { .. }) => Ok(()),
            Some(Report::Refused { errno, .. }) => Err(SignalError::Refused {
                name: self.name.clone(),
                signal,
                source: io::Error::from_raw_os_error(errno),
            }),
            // Gone, or the reaper itself is: either way the status is there or on its way.
            _ => {
                lock(&self.answers).remove(&id);
                Err(SignalError::Exited {
                    name: self.name.clone(),
                    signal,
                    status: self.wait().await,
                })
            }
        }
    }

    /// Sends SIGKILL and waits; fine on a child that has already ended.
    ///
    /// # Errors
    /// [`SignalError::Refused`] if the operating system does not let us.
    pub async fn kill(&self) -> Result<ExitStatus, SignalError> {
        match self.signal(Signal::Kill).await {
            Ok(()) => Ok(self.wait().await),
            Err(SignalError::Exited { status, .. }) => Ok(status),
            Err(refused) => Err(refused),
        }
    }

    /// Sends SIGTERM, waits at most `grace`, then kills; fine on a child that has already ended.
    ///
    /// A paused child is resumed, so that it can handle the SIGTERM.
    ///
    /// # Errors
    /// [`SignalError::Refused`] if the operating system does not let us.
    pub async fn stop(&self, grace: Duration) -> Result<ExitStatus, SignalError> {
        self.stop_or_kill(grace).await.map(|stopped| stopped.status)
    }

    /// The same, and says whether the SIGKILL was ours: the status alone could be anybody's.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn stop_or_kill(&self, grace: Duration) -> Result<Stopped, SignalError> {
        let by_itself = |status| Stopped { status, was_killed: false };
        for signal in [Signal::Term, Signal::Cont] {
            match self.signal(signal).await {
                Ok(()) => {}
                Err(SignalError::Exited { status, .. }) => return Ok(by_itself(status)),
                Err(refused) => return Err(refused),
            }
        }
        if let Ok(status) = tokio::time::timeout(grace, self.wait()).await {
            return Ok(by_itself(status));
        }
        match self.signal(Signal::Kill).await {
            Ok(()) => Ok(Stopped { status: self.wait().await, was_killed: true }),
            Err(SignalError::Exited { status, .. }) => Ok(by_itself(status)),
            Err(refused) => Err(refused),
        }
    }

    /// Waits until the child has ended; many may wait.
    pub async fn wait(&self) -> ExitStatus {
        self.ended().await
    }

    /// The same for whoever outlives this handle.
    pub fn ended(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let mut status = self.status.clone();
        async move {
            match status.wait_for(Option::is_some).await {
                Ok(status) => status.unwrap_or(ExitStatus::Lost),
                Err(_) => ExitStatus::Lost,
            }
        }
    }

    /// How the child ended, if it has.
    #[must_use]
    pub fn try_status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// The child's stdin, for the first caller; dropping it gives the child end of file.
    pub fn take_stdin(&self) -> Option<ChildStdin> {
        lock(&self.stdin).take()
    }

    /// The child's stdout line by line from the beginning, for the first caller.
    ///
    /// Until it is taken, lines also go to [`tail`](Self::tail); after, a full channel (1,024 lines)
    /// makes the child wait.
    pub fn take_stdout(&self) -> Option<mpsc::Receiver<Result<String, StdoutError>>> {
        let stdout = lock(&self.stdout).take();
        self.stdout_taken.store(true, Ordering::Release);
        self.stderr.stdout_leaves();
        stdout
    }

    /// The last 50 lines of stderr, and of stdout if nobody took it, safe to show.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.stderr.tail()
    }

    /// The first lines of the same and the last, 12 at most, with how many are left out between them: a
    /// program that does not start says why first, and then how it is to be called.
    #[must_use]
    pub fn both_ends(&self) -> Vec<String> {
        self.stderr.both_ends()
    }

    /// The last 256 lines of the same, each with the moment in which it came.
    #[must_use]
    pub fn timed_tail(&self) -> Vec<(Instant, String)> {
        self.stderr.timed()
    }

    /// The lines of stderr (and of stdout if nobody took it), from the first that is still kept.
    #[must_use]
    pub fn stderr_lines(&self) -> Lines {
        self.stderr.follow()
    }

    /// The lines that come from now on, as [`stderr_lines`](Self::stderr_lines).
    #[must_use]
    pub fn new_stderr_lines(&self) -> Lines {
        self.stderr.follow_from_here()
    }

    /// Waits until stderr has been read to its end, so that the tail is whole.
    pub async fn drained(&self) {
        self.stderr.closed().await;
    }

    /// All of stdout and stderr until both are closed, byte by byte, if the child was spawned with
    /// [`Spawn::keep_output`]; else nothing. Output beyond 4 MiB is replaced by a line with its
    /// digest.
    pub async fn output(&self) -> [Vec<u8>; 2] {
        if let Some(mut lines) = self.take_stdout() {
            while lines.recv().await.is_some() {}
        }
        self.drained().await;
        self.outputs.as_ref().map(|both| both.each_ref().map(Output::bytes)).unwrap_or_default()
    }

    /// Completes once the child has written more than `bytes` to this pipe; never, if it does not.
    pub async fn exceeds(&self, pipe: Pipe, bytes: u64) {
        self.written.exceed(pipe, bytes).await;
    }

    /// Ends the child as dropping it does, and waits until no process and no folder is left.
    pub async fn close(self) {
        self.end().await;
    }

    /// The same for a child that others hold too; they find it ended.
    pub async fn end(&self) {
        // If it cannot be shut, the reaper is gone already.
        let _ = self.requests.lock().await.shutdown().await;
        let ended = self.reaper.gone().await;
        if ended.is_none_or(|status| status.code().is_none()) {
            // The reaper was killed, so we remove the folders ourselves.
            let folders = self.remove_on_exit.clone();
            let removed = move || folders.iter().for_each(|folder| remove_tree(folder));
            let _ = tokio::task::spawn_blocking(removed).await;
        }
    }

    /// Lets the child go without removing its `remove_on_exit` folders: they are the caller's again.
    ///
    /// What is left of the group is ended, as by [`close`](Self::close).
    pub async fn release(self) {
        release(self.requests.into_inner()).await;
        self.reaper.gone().await;
    }
}
