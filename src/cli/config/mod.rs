//! `mono-demo.toml`: what the people of a repository want of its commands, unless they say otherwise.
//!
//! | file | idea |
//! | --- | --- |
//! | `keys` | which flags may have a default there, and which not, with the reason |
//! | `find` | which file it is |
//! | `file` | its text to values, or every mistake with its place |
//! | `secrets` | its text as it may be shown |
//! | `defaults` | the command line with those values where nothing else says something |
//! | `show` | `mono-demo config` |

mod defaults;
mod file;
mod find;
mod keys;
mod secrets;
mod show;

pub use defaults::{SetByFile, with_defaults};
pub use find::found;
#[cfg(test)]
pub use keys::{SUITES, TABLES};
pub use show::{ConfigArgs, run};
