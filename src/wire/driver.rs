//! The driver protocol: JSON lines, commands in on stdin, replies out on stdout, logs on stderr.
//!
//! Control never runs over the broker that is being killed. The first command is
//! [`Op::Hello`]; replies carry the command's id and may come in any order. A line on stdout that is
//! not a reply is a fault of the driver.
//!
//! How a driver ends; drivers of others may have other numbers, but 0 means the first row alone:
//!
//! | what happens | what it does | status |
//! | --- | --- | --- |
//! | its input ends, or was closed before it began | what is in hand has 3 s, and is answered as `connection`, not definite, where it has no outcome by then; it drains | 0 |
//! | a line has no id to answer to | the same, and stderr says which line | 2 |
//! | its input cannot be read, as a folder | the same, and stderr says why | 3 |
//! | a reply cannot be written: nobody reads it, or the disk is full | it ends at once, and stderr says why | 3 |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version a `hello` carries; a driver refuses one it does not know.
pub const PROTOCOL_VERSION: u32 = 1;

/// The word of each [`Op`]; a driver answers any other with `skip`, and goes on.
pub const OPERATIONS: [&str; 8] =
    ["hello", "call", "request", "publish", "submit", "subscribe", "next", "unsubscribe"];

/// Header values by name; NATS allows several values a name.
pub type Headers = BTreeMap<String, Vec<String>>;

/// One line to a driver, as in `{"id":1,"op":"call","method":"math.add","args":[10,5]}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Echoed by the reply.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What a driver can be told to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Connect to the broker. `ok` is [`Hello`].
    Hello {
        /// [`PROTOCOL_VERSION`]; a driver refuses one it does not know, as `bad_input`.
        protocol: u32,
        /// Seeds whatever the driver draws by chance.
        seed: u64,
        /// `nats://127.0.0.1:PORT`; of several servers all, comma separated. A user or token in
        /// one, percent-encoded, is for that server, and never shown.
        url: String,
        /// User name, where the broker asks for one and the URL carries none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Its password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
    },
    /// A method of the typed client library, as `math.add`. `ok` is what it returned, as JSON; a number
    /// with more digits than a double, as a string.
    Call {
        /// `<client>.<method>`: `math.*`, `email.*`, `payment.*`.
        method: String,
        /// Positional arguments.
        #[serde(default)]
        args: Vec<Value>,
        /// Keyword arguments.
        #[serde(default)]
        kwargs: Map<String, Value>,
        /// Bound on the whole call, milliseconds, above 0.
        timeout_ms: u64,
    },
    /// Raw request-reply. `ok` is a [`Message`].
    Request {
        /// Where to.
        subject: String,
        /// Body, base64.
        payload_base64: String,
        /// Headers, if any.
        #[serde(default)]
        headers: Headers,
        /// Bound, milliseconds, above 0.
        timeout_ms: u64,
    },
    /// Raw core publish, flushed before the reply. `ok` is `{}`.
    Publish {
        /// Where to.
        subject: String,
        /// Body, base64.
        payload_base64: String,
        /// Headers, if any.
        #[serde(default)]
        headers: Headers,
    },
    /// JetStream publish that waits for the acknowledgement. `ok` is an [`Ack`].
    Submit {
        /// Where to.
        subject: String,
        /// Body, base64.
        payload_base64: String,
        /// Headers, if any.
        #[serde(default)]
        headers: Headers,
        /// Bound, milliseconds, above 0.
        timeout_ms: u64,
    },
    /// Core subscription, flushed before the reply: a barrier. `ok` is `{"subscription": n}`.
    Subscribe {
        /// May have wildcards.
        subject: String,
        /// Queue group, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue_group: Option<String>,
    },
    /// The next message of a subscription, in order of arrival. `ok` is a [`Message`];
    /// an `err` of kind `timeout` where none came.
    Next {
        /// What `subscribe` answered.
        subscription: u64,
        /// Bound, milliseconds, above 0.
        timeout_ms: u64,
    },
    /// Ends a subscription. `ok` is `{}`.
    Unsubscribe {
        /// What `subscribe` answered.
        subscription: u64,
    },
}

impl Op {
    /// Its own bound, milliseconds; `None` where it carries none.
    pub fn timeout_ms(&self) -> Option<u64> {
        match self {
            Self::Call { timeout_ms, .. }
            | Self::Request { timeout_ms, .. }
            | Self::Submit { timeout_ms, .. }
            | Self::Next { timeout_ms, .. } => Some(*timeout_ms),
            _ => None,
        }
    }
}

/// `ok` of `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// The driver's name, as `python`.
    pub name: String,
    /// The client library and its version, as `nats-py 2.16.0`.
    pub library: String,
    /// The operations it can do (`call`, `request`, …).
    pub capabilities: Vec<String>,
}

/// A message as a driver saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// The subject it came on.
    pub subject: String,
    /// Body, base64.
    pub payload_base64: String,
    /// Headers, if any.
    #[serde(default)]
    pub headers: Headers,
}

/// A publish acknowledgement of JetStream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// The stream that stored it.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// True where the message id was already known.
    pub duplicate: bool,
}

/// One line from a driver: exactly one of `ok`, `err` and `skip` beside the id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reply {
    /// The command's id.
    pub id: u64,
    /// What happened.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It happened, with this result.
    Ok(Value),
    /// It did not, or may not have: see [`DriverError::definite`].
    Err(DriverError),
    /// This driver cannot do it, and why.
    Skip(String),
}

/// A command's failure, in terms that all languages share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{kind:?}: {message}")]
pub struct DriverError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// True if it certainly did not happen; false if it may have.
    pub definite: bool,
    /// The library's own words; for `service_error`, the service's.
    pub message: String,
    /// The service's code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// The kinds of failure a driver reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A domain error in a normal reply (`invalid operation`).
    Domain,
    /// The client library refused the arguments; nothing was sent.
    BadInput,
    /// Nobody listens on the subject.
    NoResponders,
    /// No answer in time; it may have happened.
    Timeout,
    /// The service answered with an error (`Nats-Service-Error-Code`).
    ServiceError,
    /// Larger than the server's `max_payload`; nothing was sent.
    MaxPayload,
    /// No stream has this subject.
    NoStream,
    /// The server denied it.
    Permissions,
    /// No connection, or it broke.
    Connection,
    /// Anything else.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_list_of_operations_is_the_enum() {
        let unknown = serde_json::from_value::<Op>(json!({"op": "x"})).unwrap_err().to_string();
        for word in OPERATIONS {
            assert!(unknown.contains(&format!("`{word}`")), "{unknown}");
        }
        assert_eq!(unknown.matches('`').count(), 2 * (OPERATIONS.len() + 1), "{unknown}");
    }

    #[test]
    fn a_line_reads_as_the_documentation_shows_it() {
        let line = json!({"id": 1, "op": "call", "method": "math.add", "args": [10, 5], "timeout_ms": 1000});
        let command: Command = serde_json::from_value(line).unwrap();
        assert!(matches!(command.op, Op::Call { ref method, .. } if method == "math.add"));
        let reply: Reply = serde_json::from_value(json!({"id": 1, "ok": 15})).unwrap();
        assert_eq!(reply.outcome, Outcome::Ok(json!(15)));
        let reply: Reply = serde_json::from_value(
            json!({"id": 2, "err": {"kind": "timeout", "definite": false, "message": "x"}}),
        )
        .unwrap();
        assert!(matches!(reply.outcome, Outcome::Err(DriverError { definite: false, .. })));
    }
}
