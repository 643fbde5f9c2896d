//! How commands and `demo.py` find a running `serve`, and know that it is one.
//!
//! Each `serve` writes a file of its own, `serve-PID.json`, into the runtime folder; the newest that
//! lives and proves itself is used. A file is believed only if
//!
//! - it and its folder belong to this user, and nobody else may write them;
//! - its process lives: this pid, begun at this moment, for pids are used again;
//! - the server at its URL proves the secret that the file holds: it answers a question that was never
//!   asked before with a code that only a holder of the secret can compute. The secret itself is never
//!   sent. Of several `serve` on one server each answers for itself.
//!
//! With `--auth` the question is asked as a user who may do nothing else (`Role::Finder`), whose password
//! is new for each run: whoever has taken the server's place hears no password that is worth anything.
//!
//! | file | idea |
//! | --- | --- |
//! | `file` | what a file says; written, read back and believed |
//! | `process` | which process is meant: a pid, and when it began |
//! | `proof` | the question and its answer |
//! | `find` | from files to one connection |
//! | `serves` | whether another one serves the system that was joined |
//! | `chosen` | which of them a command is about |
//! | `left` | the logs of those that were killed |
//! | `held` | a hold on its process, to end it and to see its end |

mod chosen;
mod file;
mod find;
mod held;
mod left;
mod process;
mod proof;
mod serves;

pub use chosen::{all, list, of_pid};
pub use file::{
    ELSEWHERE, Kept, Runtime, RuntimeFile, begin_log, living, log_path, may_be_published,
    of_server, remove_stale,
};
pub use find::{CLOSES, find, open, runner, runs};
pub use held::Held;
pub use left::{LeftLog, left_logs};
pub use process::Process;
pub use proof::{Prover, QUESTIONS, Secret};
pub use serves::{Serves, Standing, quiet};
