//! TODO

pub(crate) mod broker_trace;
pub(crate) mod drift;
pub(crate) mod evidence;
pub(crate) mod leaks;
pub(crate) mod trace;
