//! The drains: a reader for life on each pipe, lines of bounded length, a tail, a log file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, watch};

use super::clean::clean;

/// The longest line of stdout that is delivered, in bytes.
pub const MAX_STDOUT_LINE: usize = 1024 * 1024;
/// How many lines [`Child::tail`](super::Child::tail) returns.
pub const TAIL_LINES: usize = 50;

const KEPT_LINES: usize = 256;
const MAX_KEPT_LINE: usize = 4 * 1024;
const STDOUT_LINES: usize = 1024;

/// A line of stdout that cannot be delivered as text; the lines after it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StdoutError {
    /// The line is longer than [`MAX_STDOUT_LINE`]; told at once, since it may never end.
    #[error("a line of more than {MAX_STDOUT_LINE} bytes on stdout; it begins `{start}`")]
    TooLong {
        /// Its first characters, cleaned.
        start: String,
    },
    /// The line is not UTF-8.
    #[error("a line on stdout is not UTF-8; it begins `{start}`")]
    NotUtf8 {
        /// Its first characters, cleaned.
        start: String,
    },
    /// Nobody had taken stdout when these lines came, and there were too many to keep.
    #[error("{lines} lines of stdout came before anybody read it and were lost")]
    Lost {
        /// How many.
        lines: usize,
    },
}

/// One of the two pipes that a child writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl std::fmt::Display for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Pipe::Stdout => "stdout",
            Pipe::Stderr => "stderr",
        })
    }
}

/// How many bytes a child has written so far, by pipe.
#[derive(Debug)]
pub(super) struct Counts {
    stdout: watch::Sender<u64>,
    stderr: watch::Sender<u64>,
}

impl Counts {
    pub(super) fn new() -> Arc<Counts> {
        Arc::new(Counts { stdout: watch::Sender::new(0), stderr: watch::Sender::new(0) })
    }

    fn of(&self, pipe: Pipe) -> &watch::Sender<u64> {
        match pipe {
            Pipe::Stdout => &self.stdout,
            Pipe::Stderr => &self.stderr,
        }
    }

    fn add(&self, pipe: Pipe, bytes: usize) {
        self.of(pipe).send_modify(|count| *count += bytes as u64);
    }

    /// Completes once more than `bytes` have come.
    pub(super) async fn exceed(&self, pipe: Pipe, bytes: u64) {
        let mut count = self.of(pipe).subscribe();
        // The sender is ours: it does not go before we do.
        let _ = count.wait_for(|count| *count > bytes).await;
    }
}

/// Lines of a child's stderr, from the first one that is still kept.
#[derive(Debug)]
pub struct Lines {
    log: Arc<LineLog>,
    ticks: watch::Receiver<u64>,
    next: u64,
}

impl Lines {
    /// The next line, cleaned; `None` once stderr (and stdout, if nobody took it) is closed and every
    /// line was read.
    ///
    /// A reader that falls more than 256 lines behind misses the oldest.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            self.ticks.mark_unchanged();
            {
                let kept = self.log.kept();
                self.next = self.next.max(kept.first);
                if let Some((_, line)) = kept.lines.get((self.next - kept.first) as usize) {
                    self.next += 1;
                    return Some(line.clone());
                }
                if kept.closed() {
                    return None;
                }
            }
            self.ticks.changed().await.ok()?;
        }
    }
}

/// The last lines of a stream, which many may follow.
#[derive(Debug)]
pub(super) struct LineLog {
    kept: Mutex<Kept>,
    ticks: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the first line that is still here.
    first: u64,
    /// Each with the moment in which it came.
    lines: VecDeque<(Instant, String)>,
    stderr_closed: bool,
    /// Lines of stdout come here too, and it is not closed.
    stdout_feeds: bool,
}

impl Kept {
    fn closed(&self) -> bool {
        self.stderr_closed && !self.stdout_feeds
    }
}

impl LineLog {
    pub(super) fn new() -> Arc<LineLog> {
        Arc::new(LineLog { kept: Mutex::default(), ticks: watch::Sender::new(0) })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut line = clean(&String::from_utf8_lossy(line));
        if line.len() > MAX_KEPT_LINE {
            let end = (0..=MAX_KEPT_LINE).rfind(|end| line.is_char_boundary(*end));
            line.truncate(end.unwrap_or(0));
            line.push('…');
        }
        let mut kept = self.kept();
        kept.lines.push_back((Instant::now(), line));
        if kept.lines.len() > KEPT_LINES {
            kept.lines.pop_front();
            kept.first += 1;
        }
        drop(kept);
        self.ticks.send_modify(|n| *n += 1);
    }

    fn stderr_closes(&self) {
        self.kept().stderr_closed = true;
        self.ticks.send_modify(|n| *n += 1);
    }

    /// Stdout is closed, or somebody took it: no line of it comes here any more.
    pub(super) fn stdout_leaves(&self) {
        self.kept().stdout_feeds = false;
        self.ticks.send_modify(|n| *n += 1);
    }

    pub(super) fn follow(self: &Arc<Self>) -> Lines {
        Lines { log: self.clone(), ticks: self.ticks.subscribe(), next: 0 }
    }

    pub(super) fn tail(&self) -> Vec<String> {
        let kept = self.kept();
        let skip = kept.lines.len().saturating_sub(TAIL_LINES);
        kept.lines.iter().skip(skip).map(|(_, line)| line.clone()).collect()
    }

    pub(super) fn timed(&self) -> Vec<(Instant, String)> {
        self.kept().lines.iter().cloned().collect()
    }

    /// Completes once nothing comes any more.
    pub(super) async fn closed(&self) {
        let mut ticks = self.ticks.subscribe();
        while !self.kept().closed() {
            if ticks.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Cuts a stream into lines, and keeps no more than `limit` bytes of any.
struct Splitter {
    limit: usize,
    line: Vec<u8>,
    length: usize,
    /// What is left of the line is not wanted.
    skipping: bool,
}

impl Splitter {
    fn new(limit: usize) -> Splitter {
        Splitter { limit, line: Vec::new(), length: 0, skipping: false }
    }

    /// Takes bytes up to and including the first line end; returns what is left of `bytes`, and
    /// whether a line is now complete.
    fn feed<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], bool) {
        let end = bytes.iter().position(|b| *b == b'\n');
        if self.skipping {
            self.skipping = end.is_none();
            return (end.map_or(&[], |end| &bytes[end + 1..]), false);
        }
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = self.limit.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..room]);
        self.length += part.len();
        match end {
            Some(end) => (&bytes[end + 1..], true),
            None => (&[], false),
        }
    }

    /// The complete line, without its end, and its true length.
    fn take(&mut self) -> (Vec<u8>, usize) {
        let mut line = std::mem::take(&mut self.line);
        let length = std::mem::take(&mut self.length);
        if length <= self.limit && line.last() == Some(&b'\r') {
            line.pop();
        }
        (line, length)
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// True once the line is longer than what is kept of it.
    fn is_over(&self) -> bool {
        self.length > self.limit
    }

    /// What has come of the line, and nothing of the rest.
    fn cut(&mut self) -> (Vec<u8>, usize) {
        self.skipping = true;
        self.take()
    }
}

/// Reads stderr to its end, into `lines` and the log file.
pub(super) async fn drain_stderr(
    mut pipe: impl AsyncRead + Unpin,
    lines: Arc<LineLog>,
    counts: Arc<Counts>,
    mut log: Option<File>,
    only_logged: Option<fn(&[u8]) -> bool>,
) {
    let keep = |line: &[u8]| {
        if !only_logged.is_some_and(|holds| holds(line)) {
            lines.push(line);
        }
    };
    let mut splitter = Splitter::new(4 * MAX_KEPT_LINE);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        counts.add(Pipe::Stderr, read);
        // A blocking write, on purpose: it goes to the page cache, and must not fall behind the lines.
        if let Some(file) = &mut log
            && let Err(e) = file.write_all(&buffer[..read])
        {
            lines.push(format!("[the log file could not be written: {e}]").as_bytes());
            log = None;
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let complete;
            (rest, complete) = splitter.feed(rest);
            if complete {
                keep(&splitter.take().0);
            }
        }
    }
    if !splitter.is_empty() {
        keep(&splitter.take().0);
    }
    lines.stderr_closes();
}

/// Where stdout's lines go: to whoever took them, else to the tail.
pub(super) struct StdoutSink {
    pub(super) lines: mpsc::Sender<Result<String, StdoutError>>,
    pub(super) taken: Arc<AtomicBool>,
    pub(super) tail: Arc<LineLog>,
    lost: usize,
}

impl StdoutSink {
    /// A sink, and the receiver to hand to whoever takes stdout.
    pub(super) fn new(
        tail: Arc<LineLog>,
        taken: Arc<AtomicBool>,
    ) -> (Self, mpsc::Receiver<Result<String, StdoutError>>) {
        let (lines, receiver) = mpsc::channel(STDOUT_LINES);
        tail.kept().stdout_feeds = !taken.load(Ordering::Acquire);
        let sink = StdoutSink { lines, taken, tail, lost: 0 };
        (sink, receiver)
    }

    async fn deliver(&mut self, line: Vec<u8>, length: usize) {
        if !self.taken.load(Ordering::Acquire) {
            self.tail.push(&line);
            if self.lost > 0 || self.lines.try_send(text(line, length)).is_err() {
                self.lost += 1;
            }
            return;
        }
        if self.lost > 0 {
            let lines = std::mem::take(&mut self.lost);
            let _ = self.lines.send(Err(StdoutError::Lost { lines })).await;
        }
        // Whoever took stdout and dropped it wants no more of it; we go on draining.
        let _ = self.lines.send(text(line, length)).await;
    }
}

fn text(line: Vec<u8>, length: usize) -> Result<String, StdoutError> {
    let start = |bytes: &[u8]| clean(&String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
    if length > MAX_STDOUT_LINE {
        return Err(StdoutError::TooLong { start: start(&line) });
    }
    String::from_utf8(line).map_err(|e| StdoutError::NotUtf8 { start: start(e.as_bytes()) })
}

/// Reads stdout to its end, into `sink`.
pub(super) async fn drain_stdout(
    mut pipe: impl AsyncRead + Unpin,
    mut sink: StdoutSink,
    counts: Arc<Counts>,
) {
    let mut splitter = Splitter::new(MAX_STDOUT_LINE);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        counts.add(Pipe::Stdout, read);
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let complete;
            (rest, complete) = splitter.feed(rest);
            let (line, length) = match (complete, splitter.is_over()) {
                (true, _) => splitter.take(),
                (false, true) => splitter.cut(),
                (false, false) => continue,
            };
            sink.deliver(line, length).await;
        }
    }
    if !splitter.is_empty() {
        let (line, length) = splitter.take();
        sink.deliver(line, length).await;
    }
    sink.tail.stdout_leaves();
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stderr_of(bytes: &[u8]) -> Arc<LineLog> {
        let lines = LineLog::new();
        drain_stderr(bytes, lines.clone(), Counts::new(), None, None).await;
        lines
    }

    #[tokio::test]
    async fn a_last_line_without_an_end_is_kept() {
        assert_eq!(stderr_of(b"one\r\ntwo").await.tail(), ["one", "two"]);
        assert_eq!(stderr_of(b"one\n").await.tail(), ["one"]);
    }

    #[tokio::test]
    async fn the_tail_is_the_last_fifty_lines() {
        let text: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let tail = stderr_of(text.as_bytes()).await.tail();
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail[0], "line 950");
        assert_eq!(tail[49], "line 999");
    }

    #[tokio::test]
    async fn what_is_only_for_the_log_file_is_in_no_tail() {
        let mut file = tempfile::tempfile().unwrap();
        let lines = LineLog::new();
        let only_logged: fn(&[u8]) -> bool = |line| line.starts_with(b"trace");
        let text = b"one\ntrace\ntwo\ntrace";
        drain_stderr(
            &text[..],
            lines.clone(),
            Counts::new(),
            Some(file.try_clone().unwrap()),
            Some(only_logged),
        )
        .await;
        assert_eq!(lines.tail(), ["one", "two"]);
        let mut whole = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::Read::read_to_end(&mut file, &mut whole).unwrap();
        assert_eq!(whole, text);
    }

    #[tokio::test]
    async fn lines_have_the_moment_in_which_they_came() {
        let before = Instant::now();
        let timed = stderr_of(b"one\ntwo\n").await.timed();
        assert_eq!(timed.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(before <= timed[0].0 && timed[0].0 <= timed[1].0 && timed[1].0 <= Instant::now());
    }

    #[tokio::test]
    async fn a_long_stderr_line_is_cut() {
        let tail = stderr_of(&[b'x'; 1_000_000]).await.tail();
        assert_eq!(tail.len(), 1);
        assert_eq!(tail[0].chars().count(), MAX_KEPT_LINE + 1);
        assert!(tail[0].ends_with('…'));
    }

    #[tokio::test]
    async fn followers_read_from_the_beginning_to_the_end() {
        let lines = stderr_of(b"one\ntwo\n").await;
        let mut follower = lines.follow();
        assert_eq!(follower.next().await.as_deref(), Some("one"));
        assert_eq!(follower.next().await.as_deref(), Some("two"));
        assert_eq!(follower.next().await, None);
        lines.closed().await;
    }

    #[tokio::test]
    async fn stdout_says_which_line_it_cannot_deliver() {
        let (sink, mut lines) = StdoutSink::new(LineLog::new(), Arc::new(AtomicBool::new(true)));
        let mut bytes = vec![b'x'; MAX_STDOUT_LINE + 1];
        bytes.extend_from_slice(b"\n\xff\nfine\n");
        drain_stdout(&bytes[..], sink, Counts::new()).await;
        let long = lines.recv().await.unwrap().unwrap_err();
        assert!(matches!(long, StdoutError::TooLong { .. }));
        let not_text = lines.recv().await.unwrap().unwrap_err();
        assert!(matches!(not_text, StdoutError::NotUtf8 { .. }));
        assert_eq!(lines.recv().await.unwrap().unwrap(), "fine");
        assert_eq!(lines.recv().await, None);
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_told_before_its_end() {
        let (sink, mut lines) = StdoutSink::new(LineLog::new(), Arc::new(AtomicBool::new(true)));
        let (mut theirs, ours) = tokio::io::duplex(64 * 1024);
        let drain = tokio::spawn(drain_stdout(ours, sink, Counts::new()));
        let text = vec![b'x'; 3 * MAX_STDOUT_LINE];
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &text).await.unwrap();
        let long = lines.recv().await.unwrap().unwrap_err();
        assert!(long.to_string().contains("more than 1048576 bytes on stdout"), "{long}");
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b"xx\nfine\n").await.unwrap();
        assert_eq!(lines.recv().await.unwrap().unwrap(), "fine", "told once");
        drop(theirs);
        drain.await.unwrap();
    }

    #[tokio::test]
    async fn a_line_of_exactly_the_limit_is_delivered() {
        let (sink, mut lines) = StdoutSink::new(LineLog::new(), Arc::new(AtomicBool::new(true)));
        let mut bytes = vec![b'x'; MAX_STDOUT_LINE];
        bytes.push(b'\n');
        drain_stdout(&bytes[..], sink, Counts::new()).await;
        assert_eq!(lines.recv().await.unwrap().unwrap().len(), MAX_STDOUT_LINE);
    }

    #[tokio::test]
    async fn stdout_that_nobody_took_never_blocks_and_is_in_the_tail() {
        let tail = LineLog::new();
        let taken = Arc::new(AtomicBool::new(false));
        let (sink, mut lines) = StdoutSink::new(tail.clone(), taken);
        let text: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        drain_stdout(text.as_bytes(), sink, Counts::new()).await;
        assert_eq!(tail.tail()[49], "line 4999");
        assert_eq!(lines.recv().await.unwrap().unwrap(), "line 0");
    }
}
