//! What crossed the broker, from the broker's own trace.
//!
//! A subscription to `>` would be a listener on every subject, and nobody would be told "no
//! responders" any more. The server's trace changes nothing: it says who sent what and who got it,
//! with the server's own clock, in the log file of the run.
//!
//! | file | idea |
//! | --- | --- |
//! | `level` | how much a broker is asked to trace |
//! | `line` | a line of the log, read |
//! | `end` | that the log has everything so far |
//! | `said`, `heard` | lines to whole messages |
//! | `imports` | the reply subjects of other accounts |
//! | `carried` | what was sent, for checks |
//! | `conversation` | messages between parties, for pictures |
//! | `subject` | what a subject alone tells |

pub(crate) mod carried;
pub(crate) mod conversation;
pub(crate) mod end;
pub(crate) mod heard;
pub(crate) mod imports;
pub(crate) mod level;
pub(crate) mod line;
pub(crate) mod said;
pub(crate) mod subject;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

pub(in crate::e2e) use line::Line;

/// The lines of a log, and whether that is all of it; no more than `most` bytes are read.
pub(in crate::e2e) fn read(path: &Path, most: u64) -> io::Result<(Vec<Line>, bool)> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    let whole = file.metadata()?.len() <= most;
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok((text.lines().filter_map(line::parse).collect(), whole))
}
