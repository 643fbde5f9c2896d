//! What a fixture says, once it is known to make sense.

pub(crate) mod beside;
pub(crate) mod check;
pub(crate) mod crash;
pub(crate) mod elsewhere;
pub mod hazard;
pub(crate) mod held;
pub(crate) mod of_run;
pub(crate) mod payload;
pub mod promise;
pub(crate) mod scenario;
pub(crate) mod service;
pub(crate) mod step;
pub(crate) mod stored;
