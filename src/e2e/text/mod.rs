//! Texts: patterns over JSON, `{{names}}`, places and mistakes, and what may be read below a folder.
//!
//! | file | idea |
//! | --- | --- |
//! | `data`, `number` | data with all its digits and keys, and what is no JSON |
//! | `matcher`, `schema` | patterns and JSON Schemas that values are held against |
//! | `matched` | data with each matcher in the place of what it matched |
//! | `template`, `name` | `{{name}}`, names of scenarios |
//! | `span`, `source`, `error` | places in texts, and what is wrong there |
//! | `redact` | texts that differ from run to run, replaced |
//! | `bounded`, `telling` | long texts by their beginning; the line of a log that says why |
//! | `inside` | files below a folder, and none outside |

pub(crate) mod bounded;
pub(crate) mod data;
pub(crate) mod error;
pub(crate) mod inside;
pub(crate) mod matched;
pub(crate) mod matcher;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod redact;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod span;
pub(crate) mod telling;
pub(crate) mod template;

pub use data::Data;
pub use error::FixtureError;
pub use matcher::{Difference, canonical, compare};
pub use name::Name;
pub use redact::Row;
pub use schema::{SchemaError, Schemas};
pub use source::Source;
