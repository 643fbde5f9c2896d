//! What is read from the broker and beside it, as evidence.
//!
//! | file | idea |
//! | --- | --- |
//! | `evidence` | journals and streams that checks are about |
//! | `broker_trace` | what crossed the broker, from its own trace |
//! | `configured` | streams and consumers, as JetStream says it |
//! | `drift` | all messages, for checks with a schema |
//! | `hazards` | what does no harm yet |
//! | `answers`, `inboxes` | replies that no client shows |
//! | `leaks`, `left_behind` | when one looks for what is left at the broker; what that is |
//! | `watches` | what is looked for in every run |
//! | `trace` | how the run went, for reports that draw |

pub(crate) mod advisories;
pub(crate) mod answers;
pub(crate) mod broker_trace;
pub(crate) mod configured;
pub(crate) mod drift;
pub(crate) mod evidence;
pub(crate) mod hazards;
pub(crate) mod inboxes;
pub(crate) mod instead;
pub(crate) mod inventory;
pub(crate) mod leaks;
mod left_behind;
pub(crate) mod trace;
pub(crate) mod watches;
