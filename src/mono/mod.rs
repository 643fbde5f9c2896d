//! The service framework: modules with typed handlers over NATS.
//!
//! A [`Module`] names itself and registers services: [`request_reply`](Services::request_reply),
//! [`queue_group`](Services::queue_group) or [`stream_consumer`](Services::stream_consumer). An
//! [`App`] starts modules on a [`Connection`] and drains them. The framework starts no broker and
//! prints nothing; what a service does wrong becomes a reply, a rejected message or a dead letter,
//! never a dead service.

mod address;
mod app;
mod caller;
mod connect;
mod dead_letter;
mod denials;
mod discovery;
mod dispatch;
pub mod ensure;
mod error;
mod intake;
mod logins;
mod module;
mod object;
mod queue_group;
mod request_reply;
mod shutdown;
mod stats;
mod stream;
mod stream_consumer;

pub use address::without_secrets;
pub use app::{App, DrainReport, Registered, Running, StartError};
pub use caller::{BarrierError, Caller};
pub use connect::{Auth, ConnectError, Connection, JetStreamApi, Target, Tls};
pub use dead_letter::{DeadKind, DeadLetter};
pub use denials::Denied;
pub use error::{Failure, ModuleError, ServiceError};
pub use module::{BoxFuture, Call, Module, Registration, Services};
pub use object::Object;
pub use stream::{Delivery, Settled, StreamHandler, StreamSettings};

/// Reads a JSON body, or says in one bounded line why it cannot be read.
///
/// # Errors
/// The text of the JSON error with its position, fit for a header.
pub fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| {
        let what = if e.is_data() { "does not fit" } else { "is not valid JSON" };
        crate::wire::headers::one_line(&format!("request {what}: {e}"))
    })
}
