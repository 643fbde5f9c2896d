//! What a fixture says, once it is known to make sense.

pub(crate) mod check;
pub mod promise;
pub(crate) mod scenario;
pub(crate) mod step;
