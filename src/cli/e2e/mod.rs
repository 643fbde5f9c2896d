//! `e2e`: runs the scenarios, each with its own broker, with each client.
//!
//! | file | idea |
//! | --- | --- |
//! | `arguments`, `subcommand` | the command line: of a run, and of what is beside it |
//! | `settings` | the settings that result on this machine |
//! | `command` | which of all this is asked for |
//! | `once` | runs |
//! | `versions` | runs on several versions of nats-server, and a table of them |
//! | `suites` | runs several suites, one after the other |
//! | `one` | commands about one scenario with one client |
//! | `explore` | kills a service at each of its messages |
//! | `shrink` | makes a failing scenario smaller |
//! | `record` | writes what happens on a running system as a scenario |
//! | `elsewhere` | whether brokers answer that somebody else runs |
//! | `last_failed` | `--last-failed`: which runs did not pass when they were last run |
//! | `kept` | `--keep`: keeps a run until Ctrl-C |

mod again;
mod arguments;
mod command;
mod elsewhere;
mod explore;
mod kept;
mod last_failed;
mod once;
mod one;
mod record;
mod settings;
mod shrink;
mod subcommand;
mod suites;
mod versions;

pub use arguments::RunArgs;
pub use command::run;
pub use subcommand::E2eArgs;
