//! The checkers, one promise a file: each a pure function over an index, near-linear in time.

pub(super) mod acknowledged;
pub(super) mod finality;
pub(super) mod once;
pub(super) mod order;
pub(super) mod queue;
pub(super) mod replies;
pub(super) mod status;
