//! The three services, one a messaging pattern, each as types, service (pure), module and client.

pub mod bounded;
mod client_error;
pub mod contract;
pub mod deliveries;
pub mod duration;
pub mod journal;
pub mod math;
pub mod notification;
pub mod payment;
mod reply;
mod request;

pub use client_error::ClientError;
pub use reply::service_error;
pub use request::{ask, publish, publish_acknowledged, publish_confirmed};
