//! TODO

pub(crate) mod brokers;
pub(crate) mod files;
pub(crate) mod kept;
pub(crate) mod machine;
pub(crate) mod networks;
pub(crate) mod ready;
pub(crate) mod secrets;
pub(crate) mod service_process;
pub(crate) mod services;
pub(crate) mod standing;
pub(crate) mod world;
