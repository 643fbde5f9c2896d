//! `serve`: a broker and the three services, until told to stop.
//!
//! | file | idea |
//! | --- | --- |
//! | `args` | the flags, and what they ask for |
//! | `run` | starts everything, serves, drains |
//! | `serving` | what serves, until a signal comes |
//! | `announce` | says so, to people and to those who wait for it |

mod announce;
mod args;
mod run;
mod serving;

pub use args::ServeArgs;
pub use run::run;
