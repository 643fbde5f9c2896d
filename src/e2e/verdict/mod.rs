//! What a record proves: pure functions, which know no broker, no runtime and no reporter.
//!
//! A history is judged by [`check`] into a [`Report`]: valid, invalid with the smallest piece of history
//! that shows it, or unknown with what is missing.
//!
//! | file | idea |
//! | --- | --- |
//! | `index` | a history by operation, payment and message |
//! | `promises` | a promise a file |
//! | `finding`, `report`, `policy`, `figures`, `gap` | what came of them |
//! | `recovery` | how soon after a fault something succeeds again |
//! | `checks` | what `[[check]]` asks for, from evidence alone |
//! | `transcript` | what happened, as text that does not change |
//! | `outcome`, [`event`] | how a run ended, and what is told of it |

pub(crate) mod checks;
pub mod event;
pub(crate) mod figures;
pub(crate) mod finding;
pub(crate) mod gap;
pub(crate) mod index;
pub(crate) mod outcome;
pub(crate) mod policy;
pub(crate) mod promises;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod transcript;

pub use finding::{Breach, Finding, Property, SHOWN, Verdict, Violation};
pub use policy::{Policy, QueueLoss};
pub use report::{Report, check};
