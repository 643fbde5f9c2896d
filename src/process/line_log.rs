//! The last lines of a child's output, for any number of followers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::clean::clean;

/// How many lines [`Child::tail`](super::Child::tail) returns.
pub const TAIL_LINES: usize = 50;
/// How many bytes of a line are kept.
pub(super) const MAX_KEPT_LINE: usize = 64 * 1024;
/// How many of them [`Child::tail`](super::Child::tail) shows.
pub(super) const MAX_SHOWN_LINE: usize = 4 * 1024;

const KEPT_LINES: usize = 256;
/// How many of the first lines are kept for good, and how many of the last stand beside them.
const FIRST_LINES: usize = 5;
const LAST_LINES: usize = 6;

/// Lines of a child's stderr, from the first one that is still kept.
#[derive(Debug)]
pub struct Lines {
    log: Arc<LineLog>,
    ticks: watch::Receiver<u64>,
    next: u64,
    missed: u64,
    cut: u64,
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
                self.missed += kept.first.saturating_sub(self.next);
                self.next = self.next.max(kept.first);
                if let Some(line) = kept.lines.get((self.next - kept.first) as usize) {
                    self.next += 1;
                    self.cut += u64::from(line.is_cut);
                    return Some(line.text.clone());
                }
                if kept.closed() {
                    return None;
                }
            }
            self.ticks.changed().await.ok()?;
        }
    }
}

impl Lines {
    /// How many lines were gone before they could be read.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// How many of those that were read are only the start of a line: it was longer than is kept.
    pub fn cut(&self) -> u64 {
        self.cut
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
    lines: VecDeque<KeptLine>,
    /// The first ever.
    head: Vec<String>,
    stderr_closed: bool,
    /// Lines of stdout come here too, and it is not closed.
    stdout_feeds: bool,
}

#[derive(Debug)]
struct KeptLine {
    /// The moment in which it came.
    at: Instant,
    text: String,
    /// It is only the start of the line.
    is_cut: bool,
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

    pub(super) fn push(&self, line: &[u8]) {
        let text = clean(&String::from_utf8_lossy(line));
        let is_cut = text.len() > MAX_KEPT_LINE;
        let text = start(text, MAX_KEPT_LINE);
        let mut kept = self.kept();
        if kept.head.len() < FIRST_LINES {
            kept.head.push(start(text.clone(), MAX_SHOWN_LINE));
        }
        kept.lines.push_back(KeptLine { at: Instant::now(), text, is_cut });
        if kept.lines.len() > KEPT_LINES {
            kept.lines.pop_front();
            kept.first += 1;
        }
        drop(kept);
        self.ticks.send_modify(|n| *n += 1);
    }

    pub(super) fn stderr_closes(&self) {
        self.kept().stderr_closed = true;
        self.ticks.send_modify(|n| *n += 1);
    }

    /// Nobody has taken stdout: its lines come here too.
    pub(super) fn stdout_joins(&self) {
        self.kept().stdout_feeds = true;
    }

    /// Stdout is closed, or somebody took it: no line of it comes here any more.
    pub(super) fn stdout_leaves(&self) {
        self.kept().stdout_feeds = false;
        self.ticks.send_modify(|n| *n += 1);
    }

    pub(super) fn follow(self: &Arc<Self>) -> Lines {
        Lines { log: self.clone(), ticks: self.ticks.subscribe(), next: 0, missed: 0, cut: 0 }
    }

    /// Only what comes from now on.
    pub(super) fn follow_from_here(self: &Arc<Self>) -> Lines {
        let kept = self.kept();
        let next = kept.first + kept.lines.len() as u64;
        drop(kept);
        Lines { log: self.clone(), ticks: self.ticks.subscribe(), next, missed: 0, cut: 0 }
    }

    pub(super) fn tail(&self) -> Vec<String> {
        let kept = self.kept();
        let skip = kept.lines.len().saturating_sub(TAIL_LINES);
        let last = kept.lines.iter().skip(skip);
        last.map(shown).collect()
    }

    /// The first and the last, and between them how many are left out.
    pub(super) fn both_ends(&self) -> Vec<String> {
        let kept = self.kept();
        let last = |many| kept.lines.iter().skip(kept.lines.len().saturating_sub(many));
        let all = kept.first as usize + kept.lines.len();
        // In the place of one line that is left out it would stand itself.
        let left_out = all.saturating_sub(FIRST_LINES + LAST_LINES);
        if left_out < 2 {
            return last(all).map(shown).collect();
        }
        let between = format!("… {left_out} lines …");
        let last = last(LAST_LINES).map(shown);
        kept.head.iter().cloned().chain([between]).chain(last).collect()
    }

    pub(super) fn timed(&self) -> Vec<(Instant, String)> {
        let kept = self.kept();
        let lines = kept.lines.iter();
        lines.map(|line| (line.at, shown(line))).collect()
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

/// As much of a line as people are shown.
fn shown(line: &KeptLine) -> String {
    start(line.text.clone(), MAX_SHOWN_LINE)
}

/// No more than so many bytes of a line; one that is cut ends with an ellipsis.
fn start(mut line: String, most: usize) -> String {
    if line.len() > most {
        let end = (0..=most).rfind(|end| line.is_char_boundary(*end));
        line.truncate(end.unwrap_or(0));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(text: &str) -> Arc<LineLog> {
        let log = LineLog::new();
        text.lines().for_each(|line| log.push(line.as_bytes()));
        log.stderr_closes();
        log
    }

    #[test]
    fn the_tail_is_the_last_fifty_lines() {
        let text: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let tail = log_of(&text).tail();
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail[0], "line 950");
        assert_eq!(tail[49], "line 999");
    }

    #[test]
    fn both_ends_are_the_first_lines_and_the_last() {
        let log = |many: usize| {
            let text: String = (1..=many).map(|n| format!("line {n}\n")).collect();
            log_of(&text).both_ends()
        };
        for few in [0, 1, 12] {
            assert_eq!(log(few).len(), few);
        }
        let lines = ["line 1", "line 2", "line 3", "line 4", "line 5", "… 989 lines …", "line 995"];
        assert_eq!(log(1000)[..7], lines);
        assert_eq!((log(1000).len(), log(1000)[11].as_str()), (12, "line 1000"));
    }

    #[test]
    fn lines_have_the_moment_in_which_they_came() {
        let before = Instant::now();
        let timed = log_of("one\ntwo\n").timed();
        assert_eq!(timed.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(before <= timed[0].0 && timed[0].0 <= timed[1].0 && timed[1].0 <= Instant::now());
    }

    #[tokio::test]
    async fn a_follower_from_here_reads_nothing_older() {
        let lines = LineLog::new();
        lines.push(b"old");
        let mut follower = lines.follow_from_here();
        lines.push(b"new");
        assert_eq!(follower.next().await.as_deref(), Some("new"));
    }

    #[tokio::test]
    async fn a_follower_knows_how_many_lines_were_cut() {
        let lines = log_of(&format!("{}\n{}\n", "x".repeat(MAX_KEPT_LINE), "y".repeat(100_000)));
        let mut follower = lines.follow();
        assert_eq!(follower.next().await.map(|line| line.len()), Some(MAX_KEPT_LINE));
        assert_eq!(follower.cut(), 0);
        assert!(follower.next().await.is_some_and(|line| line.ends_with("y…")));
        assert_eq!(follower.cut(), 1);
    }

    #[tokio::test]
    async fn followers_read_from_the_beginning_to_the_end() {
        let lines = log_of("one\ntwo\n");
        let mut follower = lines.follow();
        assert_eq!(follower.next().await.as_deref(), Some("one"));
        assert_eq!(follower.next().await.as_deref(), Some("two"));
        assert_eq!(follower.next().await, None);
        lines.closed().await;
    }
}
