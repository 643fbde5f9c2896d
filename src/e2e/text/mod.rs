//! Texts: patterns over JSON, `{{names}}`, places and mistakes, and reading files below a folder.
//!
//! | file | idea |
//! | --- | --- |
//! | `data`, `number` | data with all its digits and keys, also if it is not JSON |
//! | `matcher`, `schema` | patterns and JSON Schemas that values are compared with |
//! | `pattern` | a value that was seen, as a pattern that it matches |
//! | `volatile`, `secret`, `words` | values that will be others the next time, and that nobody may read |
//! | `matched` | data with each matcher in place of the value that it matched |
//! | `template`, `name` | `{{name}}`, names of scenarios |
//! | `span`, `source`, `error` | places in texts, and mistakes at a place |
//! | `redact` | replaces texts that differ in each run |
//! | `bounded`, `telling` | long texts by their beginning; the line of a log with the cause |
//! | `inside` | reads files below a folder, and none outside |

pub(crate) mod bounded;
pub(crate) mod data;
pub(crate) mod error;
pub(crate) mod inside;
pub(crate) mod matched;
pub(crate) mod matcher;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod pattern;
pub(crate) mod redact;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod source;
pub(crate) mod span;
pub(crate) mod telling;
pub(crate) mod template;
pub(crate) mod volatile;
pub(crate) mod words;

pub use data::Data;
pub use error::FixtureError;
pub use matcher::{Difference, canonical, compare};
pub use name::Name;
pub use redact::Row;
pub use schema::{SchemaError, Schemas};
pub use source::Source;
