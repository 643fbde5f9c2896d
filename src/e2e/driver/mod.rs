//! Clients under test: the same commands to each, in its own language.
//!
//! | file | idea |
//! | --- | --- |
//! | `pipe` | a program that speaks JSON lines on stdin and stdout |
//! | `rust` | the Rust client, in process |
//! | `raw` | what NATS itself does, with its errors in the terms that all clients share |
//! | `lock` | a lock that no panic poisons |
//! | [`conformance`] | what a driver must do, checked one promise at a time |
//! | `stdio` | any driver, served on stdin and stdout: what a program of ours does |
//!
//! The protocol is in [`crate::wire::driver`].

pub mod conformance;
pub(crate) mod lock;
pub(crate) mod pipe;
pub(crate) mod raw;
pub(crate) mod rust;
pub(crate) mod stdio;

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

pub use pipe::PipeDriver;
pub use rust::{RustDriver, TypedCalls};
pub use stdio::{ServeError, serve_stdio};

use crate::{
    broker::Credentials,
    e2e::text::telling::telling_line,
    process::ExitStatus,
    wire::driver::{Hello, Op, Outcome, PROTOCOL_VERSION},
};

/// How much longer than a command's own bound a driver may take before it counts as hung.
pub const GRACE: Duration = Duration::from_secs(5);
/// The bound of commands that carry none.
pub const UNBOUNDED: Duration = Duration::from_secs(30);

/// Published to by the client to prove that its connection works.
const BARRIER: &str = "_INBOX.barrier.reconnected";

/// A client under test.
pub trait Driver: Send + Sync {
    /// As in a fixture's `clients`.
    fn name(&self) -> &str;

    /// Does one command; any number may be under way.
    fn perform(&self, op: Op) -> BoxFuture<'_, Result<Outcome, DriverFault>>;

    /// Drains and ends.
    fn close(&self) -> BoxFuture<'_, Result<(), DriverFault>>;

    /// The last lines of its log, free of control characters.
    fn log_tail(&self) -> Vec<String>;

    /// More of the same, each line with the moment in which it came; nothing where there is no process.
    fn timed_log(&self) -> Vec<(Instant, String)> {
        Vec::new()
    }
}

/// What a driver must not do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DriverFault {
    /// It could not be started.
    #[error("{0}")]
    Start(String),
    /// It ended while it was needed, or with a failure.
    #[error("{name} ended with {status}{}", why(tail))]
    Exited {
        /// Which driver.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// Its stdout carries only replies.
    #[error("{name} wrote a line that is not a reply: {line:?} ({reason}); logs belong on stderr")]
    StrayLine {
        /// Which driver.
        name: String,
        /// The line, bounded.
        line: String,
        /// Why it is none.
        reason: String,
    },
    /// It answered a command that was not given, or twice.
    #[error("{name} answered command {id}, which is not under way")]
    UnknownId {
        /// Which driver.
        name: String,
        /// The id in its reply.
        id: u64,
    },
    /// It did not answer in time.
    #[error("{name} did not answer `{op}` within {after:?}{}", why(tail))]
    Hung {
        /// Which driver.
        name: String,
        /// The command.
        op: &'static str,
        /// How long it was waited for.
        after: Duration,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// It floods its log.
    #[error("{name} wrote more than {mib} MiB on stderr{}", why(tail))]
    Flooded {
        /// Which driver.
        name: String,
        /// How much it may write.
        mib: u64,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// It answered `hello` with something else.
    #[error("{name} answered `hello` with {answer}")]
    BadHello {
        /// Which driver.
        name: String,
        /// What it answered.
        answer: String,
    },
}

fn why(tail: &[String]) -> String {
    match telling_line(tail) {
        Some(line) => format!("; its log says `{line}`"),
        None => "; its log is empty".to_owned(),
    }
}

/// Shakes hands.
///
/// # Errors
/// [`DriverFault`] where the driver cannot connect or answers something else.
pub async fn hello(
    driver: &dyn Driver,
    url: &str,
    credentials: Option<&Credentials>,
    seed: u64,
) -> Result<Hello, DriverFault> {
    let op = Op::Hello {
        protocol: PROTOCOL_VERSION,
        seed,
        url: url.to_owned(),
        user: credentials.map(|shown| shown.user.clone()),
        password: credentials.map(|shown| shown.password.clone()),
    };
    let bad = |answer: String| DriverFault::BadHello { name: driver.name().to_owned(), answer };
    match driver.perform(op).await? {
        Outcome::Ok(value) => {
            serde_json::from_value(value.clone()).map_err(|error| bad(format!("{value}: {error}")))
        }
        Outcome::Err(error) => Err(bad(error.to_string())),
        Outcome::Skip(reason) => Err(bad(reason)),
    }
}

/// The word of a command.
fn word(op: &Op) -> &'static str {
    match op {
        Op::Hello { .. } => "hello",
        Op::Call { .. } => "call",
        Op::Request { .. } => "request",
        Op::Publish { .. } => "publish",
        Op::Submit { .. } => "submit",
        Op::Subscribe { .. } => "subscribe",
        Op::Next { .. } => "next",
        Op::Unsubscribe { .. } => "unsubscribe",
    }
}

/// How long a driver may take for a command before it counts as hung.
fn bound(op: &Op) -> Duration {
    op.timeout_ms().map_or(UNBOUNDED, |ms| Duration::from_millis(ms).saturating_add(GRACE))
}

/// A message of the client to nobody: once it is done, the broker has processed all before it.
pub(in crate::e2e) fn barrier() -> Op {
    Op::Publish {
        subject: BARRIER.to_owned(),
        payload_base64: String::new(),
        headers: Default::default(),
    }
}
