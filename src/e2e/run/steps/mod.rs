//! Does the steps, and holds them against what is expected.
//!
//! | file | idea |
//! | --- | --- |
//! | `sequence` | all of them in order, then those of the teardown |
//! | `stage` | one of them: once or many times, again where it says so, compared |
//! | `attempt` | what the driver, or a program, is asked once |
//! | `listen` | messages that are waited for, and the fence behind which none may come |

pub(crate) mod attempt;
pub(crate) mod dying;
pub(crate) mod faults;
pub(crate) mod listen;
pub(crate) mod load;
pub(crate) mod program;
pub(crate) mod sequence;
pub(crate) mod settle;
pub(crate) mod stage;
pub(crate) mod teardown;
