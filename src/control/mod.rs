//! Brokers, services and faults for programs in any language: the control protocol, done.
//!
//! | file | idea |
//! | --- | --- |
//! | `machine` | what all sessions share: the server's program, the reaper |
//! | `session` | one conversation: lines in, work side by side, lines out |
//! | `read` | a line as a command, or which field is wrong and why |
//! | `perform` | which operation is done by whom |
//! | `world` | what a session has started, by name |
//! | `thing` | one of those: broker, cluster, account, service or proxy |
//! | `brokers` | starts brokers and clusters, and adds accounts |
//! | `streams` | makes streams and buckets |
//! | `services` | starts programs, and sees when they are ready |
//! | `faults` | breaks and mends |
//! | `noted` | which faults stand, for histories |
//! | `history` | what a test does and what was promised, and the verdict |
//! | `looked_at` | logs, leaks, status, and what is kept |
//! | `stop` | stops in order |
//! | `refused` | why something was not done |
//! | `document` | the protocol on paper |

mod brokers;
mod document;
mod faults;
mod history;
mod looked_at;
mod machine;
mod noted;
mod perform;
mod read;
mod refused;
mod services;
mod session;
mod stop;
mod streams;
mod thing;
mod world;

pub use document::{markdown, schema};
pub use machine::Machine;
pub use session::serve;
