//! `bench`: how fast it is, beside what the same machine allows in the same run.
//!
//! | file | idea |
//! | --- | --- |
//! | `args` | the flags, and the sections |
//! | `run` | one section after the other; what is told |
//! | `stage` | the broker, services and peers of a section: processes of this program |
//! | `sizes` | how much is done in a round |
//! | `whole` | whole processes: `start`, `stop`, `oneshot` |
//! | `requests` | `request` |
//! | `emails` | `emails` |
//! | `payments` | submissions, until the ledger has them; `payments`, `growth` |
//! | `status` | `status` |
//! | `audit` | `audit` |
//! | `memory` | `memory`, by `/proc` |
//! | `processes` | `processes`: several service processes on one broker |

mod args;
mod audit;
mod emails;
mod memory;
mod payments;
mod processes;
mod requests;
mod run;
mod sizes;
mod stage;
mod status;
mod whole;

pub use args::BenchArgs;
#[cfg(test)]
pub(in crate::cli) use args::Chosen;
pub use run::run;
