//! The control protocol: JSON lines, with which a program in any language starts brokers and services,
//! breaks them, and asks what became of them.
//!
//! `mono-demo control` reads commands from stdin and answers on stdout; with `--socket PATH` it does so
//! for each connection to a Unix socket. The first command is [`Op::Hello`]. Commands are done side by
//! side and answered in the order in which they are done: who needs an order waits for the answer. A
//! mistake is answered with `err`, and the session goes on.
//!
//! Everything that a session has started is gone when its input ends or nobody reads its answers any
//! more, for whatever reason: processes are killed, folders removed. What is under way when the input ends
//! is finished first, within 10 s, while somebody reads; SIGTERM gives it up. [`Op::Stop`] is the
//! orderly end.
//!
//! What is started has a name, which later commands have in `of`. All listens on 127.0.0.1.

mod answer;
mod fault;
mod history;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::driver::Headers;
pub use answer::{
    Account, Connection, Consumer, ControlError, Done, Ended, ErrorKind, Hello, Leaks, Log, Logs,
    Outcome, Proxy, Reply, Server, Servers, Service, Status, Stopped, Thing,
};
pub use fault::{Broken, Direction, Fault, MessageKind, Messages, Moment, Span};
pub use history::{Ending, Hazard, History, Invoked, Judged, PromiseJudged, Verb};
use settings::ten_seconds;
pub use settings::{BrokerSettings, Ready, Tls};

/// The version a `hello` carries; any other is refused.
pub const PROTOCOL_VERSION: u32 = 1;

/// The word of each [`Op`].
pub const OPERATIONS: [&str; 18] = [
    "hello",
    "broker.start",
    "cluster.start",
    "account.create",
    "stream.create",
    "kv.create",
    "service.start",
    "proxy.start",
    "fault",
    "history.begin",
    "history.invoke",
    "history.end",
    "history.judge",
    "logs",
    "leaks",
    "status",
    "keep",
    "stop",
];

/// One line to `mono-demo control`, as in `{"id":1,"op":"hello","protocol":1}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Echoed by the reply.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", deny_unknown_fields)]
pub enum Op {
    /// Begins the session. `ok` is [`Hello`].
    #[serde(rename = "hello")]
    Hello {
        /// The version of this protocol; any other is refused, as `protocol`.
        protocol: u32,
    },
    /// Starts a nats-server, and answers once a client was served by it. `ok` is a [`Server`].
    #[serde(rename = "broker.start")]
    BrokerStart {
        /// Its name; `broker-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What is wanted of it.
        #[serde(default)]
        settings: BrokerSettings,
    },
    /// Starts several nats-servers that replicate each other's streams, and answers once a write that all
    /// have was acknowledged. `ok` is [`Servers`].
    #[serde(rename = "cluster.start")]
    ClusterStart {
        /// Its name; `cluster-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// How many: 3 or more.
        #[serde(default = "three")]
        nodes: usize,
        /// Whether nodes can be cut off from each other, by the fault `isolate`: the routes between them go
        /// through proxies then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partitions: bool,
        /// What is wanted of each; `accounts`, `store` and `jetstream` are for a single broker.
        #[serde(default)]
        settings: BrokerSettings,
    },
    /// Gives an account of a broker that was started with `accounts`: subjects and streams of its own.
    /// Those without a name of one's own are made ahead, 16 and then as many again, and are there at once;
    /// while more are made, some milliseconds, a question to JetStream of another account may have no
    /// answer. `ok` is an [`Account`].
    #[serde(rename = "account.create")]
    AccountCreate {
        /// The broker; a cluster has no accounts.
        of: String,
        /// Its name, letters, digits, `-` and `_`; `broker-1-account-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Creates a stream. `ok` is what the server answers.
    #[serde(rename = "stream.create")]
    StreamCreate {
        /// A broker, cluster or account.
        of: String,
        /// The stream's configuration as JetStream's API has it: `name`, `subjects`, …
        config: Map<String, Value>,
    },
    /// Creates a key-value bucket. `ok` is `{}`.
    #[serde(rename = "kv.create")]
    KvCreate {
        /// A broker, cluster or account.
        of: String,
        /// The bucket.
        bucket: String,
        /// How many values of a key are kept; 1 if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<u8>,
        /// How long a value is kept, milliseconds; for ever if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
        /// On how many servers of a cluster each value is; 1 if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replicas: Option<usize>,
    },
    /// Starts a program, and answers once it is ready. `ok` is a [`Service`].
    #[serde(rename = "service.start")]
    ServiceStart {
        /// Its name; `service-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The command: the program, then its arguments. No shell reads it.
        run: Vec<String>,
        /// A broker, cluster, account or proxy: where `NATS_URL` of its environment leads, and where
        /// `ready` asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Added to the environment of `mono-demo control`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Its working folder; that of `mono-demo control` if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<PathBuf>,
        /// How it is seen to be ready; at once if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ready: Option<Ready>,
        /// How long that may take, milliseconds; 10,000 if left out.
        #[serde(default = "ten_seconds")]
        ready_within_ms: u64,
        /// How long it may take to end after SIGTERM, milliseconds; 10,000 if left out.
        #[serde(default = "ten_seconds")]
        stop_within_ms: u64,
    },
    /// Starts a proxy in front of a broker, or one in front of each node of a cluster: a network that can
    /// be broken. `ok` is a [`Proxy`].
    #[serde(rename = "proxy.start")]
    ProxyStart {
        /// Its name; `proxy-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// A broker, cluster or account.
        of: String,
        /// Where it listens; a free port if left out or 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// What is left to chance is drawn from it.
        #[serde(default)]
        seed: u64,
    },
    /// Breaks something, or mends it, and answers once that has happened. `ok` is [`Done`].
    #[serde(rename = "fault")]
    Fault {
        /// A broker, cluster, service or proxy.
        of: String,
        /// What happens.
        fault: Fault,
    },
    /// Begins a history: what a test does, what is broken meanwhile, and where what was promised is seen.
    /// What is there already is nobody's. Faults of this session are noted by themselves: those that stand
    /// already and those that come, one of messages with each that it hits. `ok` is a [`History`].
    #[serde(rename = "history.begin")]
    HistoryBegin {
        /// Its name; `history-1` and so on if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// A broker, cluster or account, without TLS.
        of: String,
        /// What is promised, by name: tables as `[promise.NAME]` of a suite, in JSON
        /// ([promises.md](promises.md)). An operation is a `submit`, `request` or `publish`; an effect is
        /// in a `stream`, a `kv`, on a `subject`, in a `file`, or what a `command` prints.
        promises: Map<String, Value>,
        /// Where effects in files are, and where commands run; the folder of `mono-demo control` if left
        /// out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dir: Option<PathBuf>,
    },
    /// Notes that a client begins an operation: before the first byte goes out. `ok` is [`Invoked`].
    #[serde(rename = "history.invoke")]
    HistoryInvoke {
        /// The history.
        of: String,
        /// What it does.
        verb: Verb,
        /// Where to.
        subject: String,
        /// What it sends, base64.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        payload_base64: String,
        /// With these headers.
        #[serde(default, skip_serializing_if = "Headers::is_empty")]
        headers: Headers,
        /// Who does it; `test` if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<String>,
    },
    /// Notes how an operation ended. One that never ends may have happened. `ok` is `{}`.
    #[serde(rename = "history.end")]
    HistoryEnd {
        /// The history.
        of: String,
        /// Its number, as it was told when it began.
        operation: u64,
        /// How.
        outcome: Ending,
        /// Of a submit that was acknowledged: the message's sequence in its stream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        /// Of a submit: the stream had it already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
        /// Why it failed, or may have; the client library's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Waits until what was promised is there or too late, and judges the history, which ends. What is in
    /// flight then is told as such. Its name is free once it is answered. Where `into` cannot be made, it
    /// goes on and can be judged again. `ok` is [`Judged`], whatever the verdict.
    #[serde(rename = "history.judge")]
    HistoryJudge {
        /// The history.
        of: String,
        /// A file that keeps it, for `mono-demo history check`; it must not be there yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<PathBuf>,
    },
    /// The last lines of what was logged. `ok` is [`Logs`].
    #[serde(rename = "logs")]
    Logs {
        /// A broker, cluster or service; all of them if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
    /// What clients hold at a broker: connections, subscriptions, unacknowledged messages. `ok` is
    /// [`Leaks`].
    #[serde(rename = "leaks")]
    Leaks {
        /// A broker, cluster or account; of an account the connections only.
        of: String,
    },
    /// What this session has started. `ok` is [`Status`].
    #[serde(rename = "status")]
    Status {},
    /// Copies the log and the store of a broker into a folder that stays. The broker stands still
    /// meanwhile: the store is as SIGKILL would leave it, and `store_from` starts another broker from it.
    /// `ok` is `{}`.
    #[serde(rename = "keep")]
    Keep {
        /// The broker.
        of: String,
        /// The folder; it must not be there yet.
        into: PathBuf,
    },
    /// Stops one thing in order, or all: services first, brokers last. `ok` is [`Stopped`].
    #[serde(rename = "stop")]
    Stop {
        /// What; everything if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
}

fn three() -> usize {
    3
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
    fn what_is_left_out_has_its_default() {
        let command: Command =
            serde_json::from_value(json!({"id": 1, "op": "broker.start"})).unwrap();
        let settings = BrokerSettings::default();
        assert_eq!(command.op, Op::BrokerStart { name: None, settings });
        let typo = json!({"op": "broker.start", "settings": {"portt": 1}});
        assert!(serde_json::from_value::<Op>(typo).is_err());
        let typo = json!({"op": "status", "off": 1});
        assert!(serde_json::from_value::<Op>(typo).is_err());
    }
}
