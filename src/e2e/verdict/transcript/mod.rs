//! The text of what happened, the same for every client: kinds of errors, codes and the services'
//! own words are in it; a client library's wording is not.
//!
//! ```text
//! call sums.add(10, 5)
//!   = 15
//!
//! request services.sums.add "{broken"
//!   = {"error":"…"}
//!     Mono-Error: true
//!
//! fault kill-broker
//! ```
//! A line that begins with `=` is an outcome, with `!` an error, with `|` output of a program.
//!
//! | file | idea |
//! | --- | --- |
//! | `writer` | part by part, redacted |
//! | `heading` | what is done |
//! | `outcome` | what came of it |

pub(crate) mod heading;
pub(crate) mod outcome;
pub(crate) mod writer;
