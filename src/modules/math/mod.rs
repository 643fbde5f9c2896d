//! Math: request-reply. `services.math.calculate`.

mod client;
mod module;
mod service;
mod types;

pub use client::MathClient;
pub use module::{MathModule, Settings};
pub use service::calculate;
pub use types::{Operation, Reply, Request};
