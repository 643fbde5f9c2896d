//! Does the steps, and holds them against what is expected.
//!
//! | file | idea |
//! | --- | --- |
//! | `sequence` | all of them in order, then those of the teardown |
//! | `running_step` | one of them: once or many times, again where it says so, compared |
//! | `attempt` | what the driver, or a program, is asked once |
//! | `replies` | a request to which so many replies come and no more |
//! | `bucket` | entries of buckets, objects, and messages with a reply subject, by the harness |
//! | `http` | a request to the web side of a service |
//! | `listen` | messages that are waited for, and the fence behind which none may come |
//! | `log` | lines of a service that are waited for |
//! | `load`, `dying` | a load under faults; a client that dies right after it has published |
//! | `faults` | broken on purpose, and put on record |
//! | `program` | a program of a `run` step |
//! | `limit` | how long a scenario may take |
//! | `settle` | observes that nothing is in flight |
//! | `teardown` | what it adds to what the steps came to |

pub(crate) mod attempt;
pub(crate) mod bucket;
pub(crate) mod dying;
pub(crate) mod faults;
pub(crate) mod http;
pub(crate) mod limit;
pub(crate) mod listen;
pub(crate) mod load;
mod log;
pub(crate) mod program;
pub(crate) mod replies;
pub(crate) mod running_step;
pub(crate) mod sequence;
pub(crate) mod settle;
mod submitter;
pub(crate) mod teardown;
