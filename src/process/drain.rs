//! Reads each pipe of a child until it is closed: lines of bounded length, and a log file.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::clean::clean;
use super::counts::{Counts, Pipe};
use super::line_log::{LineLog, MAX_KEPT_LINE};
use super::output::Output;

use crate::counted::counted;

/// The longest line of stdout that is delivered, in bytes.
pub const MAX_STDOUT_LINE: usize = 1024 * 1024;

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
    #[error("lost {} of stdout, which came before anybody read it", counted(*lines, "line"))]
    Lost {
        /// How many.
        lines: usize,
    },
}

/// Cuts a stream into lines, and keeps no more than `limit` bytes of any.
struct Splitter {
    limit: usize,
    line: Vec<u8>,
    length: usize,
    /// The rest of the line is skipped.
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

    /// Returns the beginning of the line, and skips its rest.
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
    whole: Option<Output>,
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
        if let Some(whole) = &whole {
            whole.add(&buffer[..read]);
        }
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

/// Where stdout's lines go: to the caller that took them, else to the tail.
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
        if !taken.load(Ordering::Acquire) {
            tail.stdout_joins();
        }
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
        // The receiver of stdout was dropped; we go on draining.
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
    whole: Option<Output>,
) {
    let mut splitter = Splitter::new(MAX_STDOUT_LINE);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        counts.add(Pipe::Stdout, read);
        if let Some(whole) = &whole {
            whole.add(&buffer[..read]);
        }
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
    use super::super::line_log::MAX_SHOWN_LINE;
    use super::*;

    async fn stderr_of(bytes: &[u8]) -> Arc<LineLog> {
        let lines = LineLog::new();
        drain_stderr(bytes, lines.clone(), Counts::new(), None, None, None).await;
        lines
    }

    #[tokio::test]
    async fn a_last_line_without_an_end_is_kept() {
        assert_eq!(stderr_of(b"one\r\ntwo").await.tail(), ["one", "two"]);
        assert_eq!(stderr_of(b"one\n").await.tail(), ["one"]);
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
            None,
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
    async fn a_long_stderr_line_is_cut() {
        let tail = stderr_of(&[b'x'; 1_000_000]).await.tail();
        assert_eq!(tail.len(), 1);
        assert_eq!(tail[0].chars().count(), MAX_SHOWN_LINE + 1);
        assert!(tail[0].ends_with('…'));
    }

    #[tokio::test]
    async fn stdout_says_which_line_it_cannot_deliver() {
        let (sink, mut lines) = StdoutSink::new(LineLog::new(), Arc::new(AtomicBool::new(true)));
        let mut bytes = vec![b'x'; MAX_STDOUT_LINE + 1];
        bytes.extend_from_slice(b"\n\xff\nfine\n");
        drain_stdout(&bytes[..], sink, Counts::new(), None).await;
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
        let drain = tokio::spawn(drain_stdout(ours, sink, Counts::new(), None));
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
        drain_stdout(&bytes[..], sink, Counts::new(), None).await;
        assert_eq!(lines.recv().await.unwrap().unwrap().len(), MAX_STDOUT_LINE);
    }

    #[tokio::test]
    async fn stdout_that_nobody_took_never_blocks_and_is_in_the_tail() {
        let tail = LineLog::new();
        let taken = Arc::new(AtomicBool::new(false));
        let (sink, mut lines) = StdoutSink::new(tail.clone(), taken);
        let text: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        drain_stdout(text.as_bytes(), sink, Counts::new(), None).await;
        assert_eq!(tail.tail()[49], "line 4999");
        assert_eq!(lines.recv().await.unwrap().unwrap(), "line 0");
    }
}
