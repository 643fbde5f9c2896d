//! The service framework: modules with typed handlers over NATS.
//!
//! A [`Module`] names itself and registers services: [`request_reply`](Services::request_reply),
//! [`queue_group`](Services::queue_group) or [`stream_consumer`](Services::stream_consumer). An
//! [`App`] starts modules on a [`Connection`] and drains them. The framework starts no broker and
//! prints nothing; what a service does wrong becomes a reply, a rejected message or a dead letter,
//! never a dead service.

mod address;
mod app;
mod attempt;
mod caller;
mod connect;
mod connect_error;
mod connect_options;
mod dead_letter;
mod decode;
mod delivery;
mod denials;
mod discovery;
mod dispatch;
pub mod ensure;
mod error;
mod failures;
mod future;
mod go_quoted;
mod headers;
mod held_back;
mod in_hand;
mod intake;
#[cfg(feature = "cli")]
mod kept;
mod letter;
mod logins;
mod module;
mod object;
mod observer;
mod outage;
mod overlap;
mod queue_group;
mod refusal;
mod remedy;
mod request_reply;
mod said_once;
mod shutdown;
mod stats;
#[cfg(feature = "cli")]
mod store;
mod stream;
mod stream_consumer;
mod stream_place;
mod stream_settings;
mod target;
mod tasks;

pub use address::{one_server, places, without_secrets};
pub use app::{App, DrainReport, Lost, Registered, Running, StartError};
pub use caller::{BarrierError, Caller, Sending};
pub use connect::Connection;
pub use connect_error::ConnectError;
pub use dead_letter::{DeadKind, DeadLetter};
pub use decode::decode;
pub use delivery::Delivery;
#[cfg(feature = "cli")]
pub(crate) use delivery::message_name;
pub use denials::Denied;
#[cfg(feature = "cli")]
pub(crate) use discovery::summary;
#[cfg(feature = "e2e")]
pub(crate) use dispatch::panic_text;
pub use error::{Failure, ModuleError, ServiceError};
pub use failures::{Failures, LetterRemoved, Record};
pub use future::BoxFuture;
#[cfg(feature = "cli")]
pub(crate) use kept::{Kept, Which, message};
pub use letter::Letter;
pub use module::{Call, Module, Registration, Services};
pub use object::Object;
pub use observer::REFUSALS;
pub use refusal::is_wrong_last_sequence;
pub use remedy::remedy;
pub use said_once::said_once;
#[cfg(feature = "cli")]
pub(crate) use store::store;
pub use stream::{Settled, StreamHandler};
pub use stream_settings::StreamSettings;
pub use target::{Auth, JetStreamApi, Target, Tls};
