//! TODO

pub(crate) mod bounded;
pub(crate) mod counted;
pub(crate) mod error;
pub(crate) mod inside;
pub(crate) mod matcher;
pub(crate) mod name;
pub(crate) mod redact;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod span;
pub(crate) mod subject;
pub(crate) mod template;

pub use error::FixtureError;
pub use name::Name;
pub use redact::Row;
pub use schema::Schemas;
pub use source::Source;
