//! `e2e`: runs the scenarios, each against a broker of its own, with each client.
//!
//! | file | idea |
//! | --- | --- |
//! | `arguments` | what it can be told |
//! | `settings` | what that comes to on this machine |
//! | `command` | does it, once or again and again |
//! | `kept` | `--keep`: what is left up, until nobody needs it |

mod again;
mod arguments;
mod command;
mod kept;
mod settings;

pub use arguments::{E2eArgs, RunArgs};
pub use command::run;
