//! Any child process: spawn, drained output with a tail, signals, and no orphan left behind.
//!
//! Each child has a small parent of its own, the *reaper*: the same binary, started as
//! `mono-demo __reap …`. The reaper holds a private socket to us. While the socket is open it
//! passes on the signals we ask for and reports how the child ended; when the socket closes, for
//! whatever reason and by SIGKILL too, it ends the child's whole process group, removes the folders
//! it was told to remove, and goes.
//!
//! Why not `kill_on_drop` or `PR_SET_PDEATHSIG` alone: the first does not run when we are killed, the
//! second fires when the *thread* that spawned the child ends, and neither reaches grandchildren. The
//! reaper has one thread that starts its child, so there the second is right: a child does not outlive
//! a reaper that is killed. A reaper that is paused is woken, by us or, once we end, by the system.
//! On Linux the reaper adopts what leaves the group too (`PR_SET_CHILD_SUBREAPER`): a grandchild
//! with a session of its own is ended with the child.
//!
//! | file | idea |
//! | --- | --- |
//! | `spawn` | what to start, and with which reaper |
//! | `start` | the reaper is started, and has said that the program runs |
//! | `child` | the handle: signals, waiting, output |
//! | `reaper` | the other program: a plain synchronous parent |
//! | `program` | starts a program that ends with its reaper |
//! | `keeper` | removes folders that were made just before we were killed |
//! | `attendant` | supervises a reaper or a keeper: resumes it when paused, kills it if it does not answer |
//! | `farewell` | waits at the end of this process for reapers and keepers |
//! | `orphans` | ends processes that left the child's group and outlived it |
//! | `channel` | our end of the channel to the reaper |
//! | `control` | the messages between us and the reaper |
//! | `drain` | reads each pipe until it is closed: lines of bounded length, a log file |
//! | `ready` | waits for a sign that a program is ready |
//! | `output` | all output, byte by byte, if it is kept |
//! | `line_log` | the last lines, for any number of followers |
//! | `counts` | how much was written, by pipe |
//! | `clean` | text that is safe to show in a terminal |
//! | `sockets` | which of our children has a TCP port |
//! | `standstill` | whether a process does anything |
//! | `status` | how a child ended, and the signals we send |

mod attendant;
mod channel;
mod child;
mod clean;
mod control;
mod counts;
mod drain;
mod error;
mod farewell;
mod keeper;
mod line_log;
mod orphans;
mod output;
mod program;
mod ready;
pub mod reaper;
mod remove;
mod sockets;
mod spawn;
mod standstill;
mod start;
mod status;
mod subcommand;

pub use child::{Child, Stopped};
pub use clean::clean;
pub use counts::Pipe;
pub use drain::{MAX_STDOUT_LINE, StdoutError};
pub use error::{SignalError, SpawnError};
pub use farewell::Farewell;
pub use line_log::{Lines, TAIL_LINES};
pub use ready::{NotReady, until_ready};
pub use sockets::groups_of_ports;
pub use spawn::{Reaper, Spawn};
pub use status::{ExitStatus, Signal};
pub use subcommand::SUBCOMMAND;
