//! What a record proves: pure functions, which know no broker, no runtime and no reporter.
//!
//! A history is judged by [`check`] into a [`Report`]: valid, invalid with the smallest piece of history
//! that shows it, or unknown with what is missing.
//!
//! | file | idea |
//! | --- | --- |
//! | `index` | a history by operation and by what operations are about |
//! | [`promises`] | what an oracle that is handed in says: the trait |
//! | [`promised`] | what a suite declares: `[promise.NAME]` |
//! | `replies`, `places`, `order`, `silence` | what the engine knows itself |
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
pub mod index;
pub mod order;
pub(crate) mod outcome;
pub mod places;
pub(crate) mod policy;
pub mod promised;
pub mod promises;
pub(crate) mod recovery;
pub mod replies;
pub(crate) mod report;
pub mod silence;
pub(crate) mod transcript;

pub use checks::answer::Answer;
pub use figures::Figures;
pub use finding::{Finding, Findings, Property, SHOWN, Verdict, Violation, copies};
pub use policy::{Policy, QueueLoss};
pub use report::{Report, check};
