//! Does the steps, and holds them against what is expected.
//!
//! | file | idea |
//! | --- | --- |
//! | `sequence` | all of them in order, then those of the teardown |
//! | `stage` | one of them: once or many times, again where it says so, compared |
//! | `attempt` | what the driver, or a program, is asked once |
//! | `listen` | messages that are waited for, and the fence behind which none may come |

mod attempt;
mod listen;
mod sequence;
mod stage;

pub(super) use attempt::millis;
pub(super) use sequence::{Carried, all};
