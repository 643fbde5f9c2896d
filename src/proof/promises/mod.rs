//! The promises, one a file: each a pure function, near-linear in time.

/// Two clocks may differ by so much, nanoseconds: the run's own, that of a server, and those of services.
const CLOCKS: u64 = 1_000_000_000;

pub(super) mod acknowledged;
pub(super) mod asked;
pub(super) mod finality;
pub(super) mod first;
pub(super) mod letters;
pub(super) mod once;
pub(super) mod queue;
pub(super) mod settled;
pub(super) mod status;
