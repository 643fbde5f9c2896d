//! The checkers, one promise a file: each a pure function over an index, near-linear in time.

pub(crate) mod acknowledged;
pub(crate) mod finality;
pub(crate) mod once;
pub(crate) mod order;
pub(crate) mod queue;
pub(crate) mod replies;
pub(crate) mod status;
