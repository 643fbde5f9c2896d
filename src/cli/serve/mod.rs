//! `serve`: a broker and the three services, until told to stop.
//!
//! | file | idea |
//! | --- | --- |
//! | `args` | the flags, and what they ask for |
//! | `run` | starts everything, serves, drains |
//! | `journals` | where the journals are, also those of another `serve` |
//! | `others`, `heard`, `earlier` | what other `serve` processes of this user, those of anybody that answer, and journals of earlier systems, prove of lost streams |
//! | `starter` | starts the services beside them |
//! | `serving` | what serves, until a signal comes |
//! | `watch` | what others did to the streams, meanwhile and before |
//! | `snapshot`, `stream_config`, `losses` | one look at them; what differs; what is missing |
//! | `storage` | a broker of ours that cannot store, and when a restart helps |
//! | `announce` | says so, to people and to those who wait for it |

mod announce;
mod announced;
mod args;
mod astray;
mod earlier;
mod heard;
mod journals;
mod losses;
mod others;
mod run;
mod seen;
mod serving;
mod snapshot;
mod starter;
mod storage;
mod strangers;
mod stream_config;
mod stuck;
mod twice;
mod watch;

pub use args::ServeArgs;
pub use run::run;
