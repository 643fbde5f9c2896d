//! What crossed the broker, from the broker's own trace.
//!
//! A subscription to `>` would be a listener on every subject, and nobody would be told "no
//! responders" any more. The server's trace changes nothing: it says who sent what and who got it,
//! with the server's own clock, in the log file of the run.
//!
//! | file | idea |
//! | --- | --- |
//! | `line` | a line of the log, read |
//! | `end` | that the log has everything so far |
//! | `heard` | lines to whole messages |
//! | `imports` | the reply subjects of other accounts |
//! | `carried` | what was sent, for checks |
//! | `conversation` | messages between parties, for pictures |
//! | `subject` | what a subject alone tells |

pub(crate) mod carried;
pub(crate) mod conversation;
pub(crate) mod end;
pub(crate) mod heard;
pub(crate) mod imports;
pub(crate) mod line;
pub(crate) mod subject;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

pub(in crate::e2e) use line::Line;

/// More lines of nats-server's config, for brokers whose messages are to be seen. The server puts
/// `[REDACTED]` in the place of every secret that a client shows.
pub(in crate::e2e) const CONFIG: &str =
    "trace: true\nmax_traced_msg_len: 1024\nlogtime_utc: true\n";
/// The same with whole bodies, for checks that read them.
pub(in crate::e2e) const CONFIG_WHOLE: &str = "trace: true\nlogtime_utc: true\n";
/// The same for brokers under a load, whose messages are too many: only the clock is told.
pub(in crate::e2e) const CONFIG_WITHOUT: &str = "logtime_utc: true\n";

/// So much of a body is shown, characters.
const EXCERPT: usize = 160;

/// The beginning of a body, with a mark where there is more.
pub(in crate::e2e) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT).collect();
    if text.chars().count() > EXCERPT {
        shown.push('…');
    }
    shown
}

/// The lines of a log, and whether that is all of it; no more than `most` bytes are read.
pub(in crate::e2e) fn read(path: &Path, most: u64) -> io::Result<(Vec<Line>, bool)> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    let whole = file.metadata()?.len() <= most;
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok((text.lines().filter_map(line::parse).collect(), whole))
}
