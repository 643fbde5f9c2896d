//! Judges records: pure functions, without broker, runtime or reporter.
//!
//! [`check`] judges a history and returns a [`Report`]: valid, invalid with the smallest evidence,
//! or unknown with what is missing.
//!
//! | file | idea |
//! | --- | --- |
//! | `index`, `broken` | a history by operation, by what operations are about, and by faults |
//! | `clocks` | which order two clocks can tell |
//! | [`promises`] | the trait of an oracle, which the caller passes in |
//! | [`promised`] | promises that a suite declares: `[promise.NAME]` |
//! | `replies`, `places`, `order`, `silence` | properties that the engine checks itself |
//! | `finding`, `report`, `policy`, `figures`, `gap` | verdicts and figures |
//! | `hazards` | what did no harm in this run and will |
//! | `breach` | which promises are broken, in words that are the same in each run |
//! | `evidence` | what shows that a run failed, alike for runs that fail alike |
//! | `recovery` | how soon after a fault an operation succeeds again |
//! | `checks` | the checks of `[[check]]`, from evidence alone |
//! | `transcript` | the transcript of a run, with stable text |
//! | `outcome`, [`event`] | how a run ended, and the events for reporters |

pub(crate) mod breach;
mod broken;
pub(crate) mod checks;
pub mod clocks;
pub mod event;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod finding;
pub(crate) mod gap;
pub(crate) mod hazards;
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

pub use breach::Breach;
pub use checks::answer::Answer;
pub use figures::Figures;
pub use finding::{Finding, Findings, Property, SHOWN, Verdict, Violation, copies};
pub use policy::{Policy, QueueLoss};
pub use report::{Report, check};
pub use transcript::golden_text::in_words_of;
