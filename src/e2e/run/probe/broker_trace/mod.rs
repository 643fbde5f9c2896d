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
//! | `reading` | lines of all servers, each read once |
//! | `end` | that the log has everything so far |
//! | `said`, `heard` | lines to whole messages |
//! | `imports` | the reply subjects of other accounts |
//! | `answers` | replies to what clients asked |
//! | `carried` | what was sent, for checks |
//! | `conversation` | messages between parties, for pictures |

pub(crate) mod answers;
pub(crate) mod carried;
pub(crate) mod conversation;
pub(crate) mod end;
pub(crate) mod heard;
pub(crate) mod imports;
pub(crate) mod level;
pub(crate) mod line;
pub(crate) mod reading;
pub(crate) mod said;
