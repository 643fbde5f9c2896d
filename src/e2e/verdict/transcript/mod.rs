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
//! A line that begins with `=` is an outcome, with `!` an error, with `|` output of a program. JSON is
//! as in patterns: `"#number"` is whatever a matcher of the fixture has matched, `"##x"` the text `#x`.
//! Different outcomes have different texts: text that is no JSON is `text "hello"`, bytes are
//! `base64 /w==`, nothing at all is `(empty)`.
//!
//! | file | idea |
//! | --- | --- |
//! | `writer` | part by part, redacted |
//! | `heading` | what is done |
//! | `outcome` | what came of it |
//! | `output` | what a program printed, so that other bytes are another text |
//! | `golden_text` | a golden text, in which people may have written matchers, against a transcript |

pub(crate) mod golden_text;
pub(crate) mod heading;
pub(crate) mod outcome;
mod output;
pub(crate) mod writer;
