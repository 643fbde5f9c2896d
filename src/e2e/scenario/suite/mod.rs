//! A suite of one's own: which services it starts, which clients test them, where its scenarios are.
//!
//! Text in, a [`Suite`] out, or every mistake with its line, column and a caret; nothing here reads
//! a file or starts a program.
//!
//! ```toml
//! scenarios = "scenarios"                # the folder of fixtures; this is the default
//! redact = { order = "ord_[0-9a-z]{12}" }  # what differs from run to run, for transcripts
//! prepare = [["npm", "ci"]]              # run in order, once, before anything else
//!
//! leaks = "fail"                         # for every scenario that does not say otherwise
//! hazards = ["stream-without-limits"]    # the same; these are accepted, others fail a run
//! within = "5m"                          # how long each may take, all together
//! broker = { auth = false }              # the same, as at the top of a fixture; also `proxy`
//! exclusive = true                       # one run at a time, as fixed ports need it
//!
//! [streams.ORDERS]                       # made before the services start; also `kv`, `objects`
//! subjects = ["orders.>"]
//! [[setup]]                              # done then, before the services start
//! submit = "orders.new"
//! [streams.ORDERS.consumers.worker]
//! ack_wait = "2s"
//!
//! [services.worker]                      # any number of them
//! run = ["{{python}}", "worker.py"]      # any command; it runs in the suite's folder,
//! cwd = ".."                             # or in this one, from there
//! ready = { connected = 1 }              # or another sign, below
//! ready_within = "20s"
//! stop_within = "15s"                    # after SIGTERM
//! may_end = false                        # true: it does its work and ends, with status 0
//! processes = 2                          # the same command so many times; default 1
//! env = { BROKER = "{{url_with_credentials}}", PORT = "{{port:http}}" }
//!
//! [clients.python]                       # default: the built-in `rust` client, raw verbs only
//! driver = ["{{python}}", "driver.py"]   # speaks the driver protocol, see docs/protocol.md
//!
//! [clients.shell]
//! run = ["./shop"]                       # `{{client}}` of `run` steps; raw verbs are `rust`'s
//! ```
//!
//! Each command gets `NATS_URL`, `NATS_USER` and `NATS_PASSWORD`, and must use all three, unless
//! `broker = { auth = false }`.
//!
//! | ready | means |
//! | --- | --- |
//! | `service = "NAME"` | so many instances answer `$SRV.PING.NAME` (ADR-32) as there are processes |
//! | `subject = "SUBJECT"` | a request there is answered, whatever the answer says |
//! | `line = "TEXT"` | a line of stdout or stderr has this text in it |
//! | `connected = 1` | each process has so many connections to the broker |
//! | `subscribes = "SUBJECT"` | each process subscribes to it |
//! | `consumer = "NAME"` | that consumer is there, and somebody waits for its messages |
//! | `http = "URL"` | a GET there is answered with a status from 200 to 299 |

pub(crate) mod parse;
pub(crate) mod service;

pub use parse::parse;

use super::ast::promise::Promise;
use super::ast::scenario::Defaults;
use super::ast::service::Service;
use crate::e2e::text::redact::Row;

/// What a suite file says.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The folder of fixtures, below the suite's.
    pub scenarios: String,
    /// What holds for every scenario that does not say otherwise.
    pub defaults: Defaults,
    /// What differs from run to run, and is replaced in transcripts.
    pub redact: Vec<Row>,
    /// What becomes of operations, in every scenario that does them.
    pub promises: Vec<Promise>,
    /// Commands that are run once, in order, before anything else.
    pub prepare: Vec<Vec<String>>,
    /// In the order of their names.
    pub services: Vec<Service>,
    /// In the order of their names; empty is the built-in `rust` client.
    pub clients: Vec<Client>,
}

/// One client under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// As in a fixture's `clients`.
    pub name: String,
    /// What it is.
    pub command: Command,
}

/// The two kinds of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// It speaks the driver protocol.
    Driver(Vec<String>),
    /// `{{client}}` of `run` steps.
    Run(Vec<String>),
}
