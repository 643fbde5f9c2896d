//! The promises, one a file: each a pure function, near-linear in time.

pub(super) mod acknowledged;
pub(super) mod asked;
pub(super) mod finality;
pub(super) mod first;
pub(super) mod letters;
pub(super) mod once;
pub(super) mod queue;
pub(super) mod settled;
pub(super) mod status;
