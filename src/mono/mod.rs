//! The service framework: modules with typed handlers over NATS.
//!
//! A [`Module`] names itself and registers services: [`request_reply`](Services::request_reply),
//! [`queue_group`](Services::queue_group) or [`stream_consumer`](Services::stream_consumer). An
//! [`App`] starts modules on a [`Connection`] and drains them. The framework starts no broker and
//! prints nothing; what a service does wrong becomes a reply, a rejected message or a dead letter,
//! never a dead service.

mod app;
mod attempt;
mod caller;
mod connect;
mod dead_letter;
mod denials;
mod discovery;
mod dispatch;
pub mod ensure;
mod error;
mod failures;
mod in_hand;
mod intake;
mod letter;
mod module;
mod object;
mod outage;
mod queue_group;
mod refusal;
mod request_reply;
mod shutdown;
mod stats;
mod stream;
mod stream_consumer;

pub use app::{App, DrainReport, Registered, Running, StartError};
pub use caller::{BarrierError, Caller};
pub use connect::{Auth, ConnectError, Connection, Target, Tls, without_secrets};
pub use dead_letter::{DeadKind, DeadLetter};
pub use denials::Denied;
pub use error::{Failure, ModuleError, ServiceError};
pub use failures::{Failures, LetterRemoved, Record};
pub use letter::Letter;
pub use module::{BoxFuture, Call, Module, Registration, Services};
pub use object::Object;
pub use refusal::is_wrong_last_sequence;
pub use stream::{Delivery, Settled, StreamHandler, StreamSettings};

/// Reads a JSON body, or says in one bounded line why it cannot be read.
///
/// # Errors
/// The text of the JSON error with its position, fit for a header.
pub fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| {
        // Valid JSON that Rust cannot represent, such as 1e400, is an error of syntax to serde_json.
        let unfit = e.is_data() || e.to_string().starts_with("number out of range");
        let what = if unfit { "does not fit" } else { "is not valid JSON" };
        crate::wire::headers::one_line(&format!("request {what}: {e}"))
    })
}
