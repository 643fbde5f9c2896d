//! TODO

pub(crate) mod brokers;
pub(crate) mod machine;
pub(crate) mod networks;
pub(crate) mod ready;
pub(crate) mod secrets;
pub(crate) mod services;
pub(crate) mod standing;
pub(crate) mod world;
