//! `e2e`: runs the scenarios, each with its own broker, with each client.
//!
//! | file | idea |
//! | --- | --- |
//! | `arguments` | the command line |
//! | `settings` | the settings that result on this machine |
//! | `command` | runs, once or after each change |
//! | `kept` | `--keep`: keeps a run until Ctrl-C |

mod again;
mod arguments;
mod command;
mod kept;
mod settings;

pub use arguments::{E2eArgs, RunArgs};
pub use command::run;
