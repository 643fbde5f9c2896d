//! Notices a broker of ours that refuses to store, and when starting it again helps.
//!
//! After a full disk nats-server goes on refusing when there is space again: a stream whose file could
//! not be written takes no message any more, and the limit of all streams together is made of the
//! space that there was when the server started. A restart ends both, once there is space.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::select_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::cli::brokers::Brokers;
use crate::process::Lines;

/// As many bytes must fit before a restart is worth it.
const ROOM: u64 = 1 << 20;
/// Between two looks whether they fit: that somebody made space is told to nobody.
const LOOK: Duration = Duration::from_secs(1);
/// Between two restarts of a server whose disk is full again and again: so long at first, and twice as
/// long after each, at most [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A limit that is not told of for so long may have ended by itself, as messages go: nats-server tells
/// of it at most every 10 s, and only when there is something to store.
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// Why a server stores nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// A file of the store could not be written.
    Write,
    /// A replicated message whose header the server cannot hold, and stops for: it comes again at each
    /// start, so that a restart helps nobody and harms whatever else is served.
    Message,
    /// All streams together have reached the limit that was set when the server started.
    Limit,
}

/// What happened to a server's store.
#[derive(Debug)]
pub(super) enum News {
    /// It began to refuse, in its own words.
    Refuses { node: usize, words: String },
    /// A stream has stopped, in its own words, and no restart mends it.
    Stopped { node: usize, words: String },
    /// There is space, and the server has to be started again to use it.
    Space { node: usize },
}

/// When a server spoke of its refusal the last time.
type LastTold = Instant;

/// The stores of our brokers.
#[derive(Debug)]
pub(super) struct Storage {
    nodes: Vec<Node>,
    next_look: Instant,
}

/// The store of one server.
#[derive(Debug)]
struct Node {
    folder: PathBuf,
    /// What is told of the server of this process id.
    pid: u32,
    lines: Lines,
    /// What all streams together may take, as it was when the server started, where that is known.
    limit: Option<u64>,
    refusal: Option<(Refusal, LastTold)>,
    /// Whether a message has stopped one of its streams.
    stopped: bool,
    pause: Duration,
    not_before: Instant,
}

impl Storage {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), next_look: Instant::now() }
    }

    /// Returns when there is something to say, or to do. Can be given up at any time.
    pub(super) async fn news(&mut self, brokers: Option<&Brokers>) -> News {
        let Some(brokers) = brokers else { return std::future::pending().await };
        self.follow(brokers).await;
        loop {
            let refused = self
                .nodes
                .iter_mut()
                .enumerate()
                .map(|(n, node)| Box::pin(async move { (n, node.next_refusal().await) }));
            let refused = async { select_all(refused).await.0 };
            if let Ok((node, (refusal, words))) = timeout_at(self.next_look.into(), refused).await
                && self.nodes[node].refuses(refusal)
            {
                return match refusal {
                    Refusal::Message => News::Stopped { node, words },
                    Refusal::Write | Refusal::Limit => News::Refuses { node, words },
                };
            }
            if Instant::now() < self.next_look {
                continue;
            }
            self.next_look = Instant::now() + LOOK;
            for (node, store) in self.nodes.iter_mut().enumerate() {
                if store.restart_helps().await {
                    store.restarts();
                    return News::Space { node };
                }
            }
        }
    }

    /// Turns to the servers that were started since.
    async fn follow(&mut self, brokers: &Brokers) {
        for (n, broker) in brokers.nodes().iter().enumerate() {
            let before = self.nodes.get(n);
            if before.is_some_and(|node| node.pid == broker.pid()) {
                continue;
            }
            let now = Instant::now();
            let node = Node {
                folder: broker.store_dir().to_owned(),
                pid: broker.pid(),
                lines: broker.log_lines(),
                limit: in_background(broker.store_dir(), limit_of).await,
                refusal: None,
                stopped: before.is_some_and(|node| node.stopped),
                pause: before.map_or(SHORTEST, |node| node.pause),
                not_before: before.map_or(now, |node| node.not_before),
            };
            match self.nodes.get_mut(n) {
                Some(old) => *old = node,
                None => self.nodes.push(node),
            }
        }
    }
}

impl Node {
    async fn next_refusal(&mut self) -> (Refusal, String) {
        while let Some(line) = self.lines.next().await {
            if let Some((refusal, words)) = refusal(&line) {
                return (refusal, words.to_owned());
            }
        }
        // It has ended: that is noticed elsewhere.
        std::future::pending().await
    }

    /// True where that is news.
    fn refuses(&mut self, refusal: Refusal) -> bool {
        if refusal == Refusal::Message {
            let told = std::mem::replace(&mut self.stopped, true);
            return !told;
        }
        let known = self.refusal.filter(|known| !may_have_ended(*known));
        // What could not be written once never is, also where the limit is told of later.
        let worst = known
            .map_or(refusal, |(known, _)| if known == Refusal::Write { known } else { refusal });
        self.refusal = Some((worst, Instant::now()));
        known.is_none()
    }

    async fn restart_helps(&self) -> bool {
        let Some(refusal) = self.refusal.filter(|known| !may_have_ended(*known)) else {
            return false;
        };
        if Instant::now() < self.not_before {
            return false;
        }
        let limit = self.limit;
        let helps = in_background(&self.folder, move |folder| {
            takes(folder, ROOM)?;
            Ok(refusal.0 == Refusal::Write || has_grown(limit, limit_of(folder)?))
        });
        helps.await.unwrap_or(false)
    }

    /// The next restart is further away than this one was, unless that is long ago.
    fn restarts(&mut self) {
        let now = Instant::now();
        let long_ago = now.duration_since(self.not_before) > LONGEST;
        let pause = if long_ago { SHORTEST } else { self.pause };
        self.not_before = now + pause;
        self.pause = (pause * 2).min(LONGEST);
    }
}

/// Whether a server that says nothing of it any more may store again without a restart.
fn may_have_ended((refusal, last_told): (Refusal, LastTold)) -> bool {
    refusal == Refusal::Limit && last_told.elapsed() > TOLD_AGAIN
}

/// Whether a restart would give more room than there was; of what is not known it is not tried.
fn has_grown(limit: Option<u64>, now: u64) -> bool {
    limit.is_some_and(|limit| now >= limit.saturating_add(ROOM))
}

/// What a server's line says of its store, from its level on.
fn refusal(line: &str) -> Option<(Refusal, &str)> {
    const CANNOT_WRITE: [&str; 7] = [
        "critical write error",
        "failed to store a msg",
        "no space left",
        "quota exceeded",
        "read-only file system",
        "input/output error",
        "will be disabled",
    ];
    // What we say ourselves of its log file has no level.
    let at = ["[WRN]", "[ERR]", "[FTL]"].iter().find_map(|level| line.find(level))?;
    let words = &line[at..];
    let text = words.to_lowercase();
    if text.contains("resource limits exceeded") {
        return Some((Refusal::Limit, words));
    }
    if text.contains("critical write error") && text.contains(" mismatch") {
        return Some((Refusal::Message, words));
    }
    CANNOT_WRITE.iter().any(|sign| text.contains(sign)).then_some((Refusal::Write, words))
}

/// What a server that starts now lets all streams together take: three quarters of what is there and
/// of what is free (`diskAvailable` of nats-server).
fn limit_of(folder: &Path) -> std::io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    Ok(free.saturating_add(size_of(folder)?) / 4 * 3)
}

/// The bytes of all files in a folder; what goes meanwhile has none.
fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder)? {
        let Ok(entry) = entry else { continue };
        let Ok(found) = entry.metadata() else { continue };
        size += if found.is_dir() { size_of(&entry.path()).unwrap_or(0) } else { found.len() };
    }
    Ok(size)
}

/// Writes so many bytes, which go at once. Free space alone does not say it: there are quotas, and
/// file systems that can only be read.
fn takes(folder: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    std::io::copy(&mut std::io::Read::take(std::io::repeat(1), bytes), &mut file)?;
    file.flush()?;
    file.sync_all()
}

/// A disk may take any time: not on the runtime's thread. `None` if it fails.
async fn in_background<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Option<T> {
    let folder = folder.to_owned();
    spawn_blocking(move || work(&folder)).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_that_it_stores_nothing_in_many_words() {
        let said = |line: &str| refusal(line).map(|(refusal, _)| refusal);
        let stamp = "[1] 2026/11/28 06:38:42.656475";
        for (words, expected) in [
            ("[ERR] JetStream file resource limits exceeded for server", Some(Refusal::Limit)),
            ("[ERR] JetStream resource limits exceeded for server", Some(Refusal::Limit)),
            (
                "[ERR] Filestore [s] Critical write error: write 3.blk: no space left on device",
                Some(Refusal::Write),
            ),
            ("[ERR] JetStream stream '$G > s' critical write error: EIO", Some(Refusal::Write)),
            (
                "[ERR] JetStream stream 'services > s' critical write error: last msgid mismatch: \"a\" vs \"\"",
                Some(Refusal::Message),
            ),
            ("[ERR] JetStream failed to store a msg on stream '$G > s': x", Some(Refusal::Write)),
            ("[ERR] JetStream out of file resources, will be DISABLED", Some(Refusal::Write)),
            ("[WRN] x: disk quota exceeded", Some(Refusal::Write)),
            ("[WRN] x: read-only file system", Some(Refusal::Write)),
            ("[WRN] Filestore [s] Stream state: corrupt state file", None),
            ("[INF] no space left, says a client's name", None),
        ] {
            assert_eq!(said(&format!("{stamp} {words}")), expected, "{words}");
        }
        assert_eq!(said("[the log file could not be written: No space left on device]"), None);
    }

    #[test]
    fn only_what_cannot_end_by_itself_is_restarted_for_however_long_ago_it_was_told() {
        let now = Instant::now();
        let Some(long_ago) = now.checked_sub(2 * TOLD_AGAIN) else { return };
        for (refusal, last_told, ended) in [
            (Refusal::Limit, now, false),
            (Refusal::Limit, long_ago, true),
            (Refusal::Write, long_ago, false),
        ] {
            assert_eq!(may_have_ended((refusal, last_told)), ended, "{refusal:?}");
        }
    }

    #[test]
    fn a_limit_that_is_not_known_has_not_grown() {
        assert!(has_grown(Some(ROOM), 2 * ROOM) && !has_grown(Some(ROOM), ROOM));
        assert!(!has_grown(None, u64::MAX));
    }

    #[test]
    fn what_fits_is_written_and_gone() {
        let folder = tempfile::tempdir().unwrap();
        takes(folder.path(), ROOM).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), [0; 1000]).unwrap();
        assert_eq!(size_of(folder.path()).unwrap(), 1000);
        let missing = folder.path().join("missing");
        assert!(takes(&missing, 1).is_err() && limit_of(&missing).is_err());
    }
}
