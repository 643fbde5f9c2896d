//! Fixtures: TOML text in, a [`Fixture`] out, or every mistake with its line, column and a caret.
//!
//! Nothing here reads a file, an environment or a clock.
//!
//! # Form
//! ```toml
//! description = "what it proves"           # required
//! tags = ["orders"]                        # for filters
//! clients = ["rust", "python"]             # default: all
//! leaks = "fail"                           # or "report", "ignore": what is left at the broker
//! hazards = "fail"                         # or "report", "ignore", or names: what does no harm yet
//! within = "2m"                            # all its steps and checks together; 10 minutes unless said
//! [broker]
//! max_payload = 65536                      # bytes
//! cluster = 3                              # so many servers; default one
//! auth = false                             # who shows nothing is let in as a service
//! port = 4222                              # this port; then one run at a time
//! config = "extra.conf"                    # nats-server's own settings, in the suite's folder
//! [streams.ORDERS]                         # made before the services start; also `[kv.NAME]`, `[objects.NAME]`
//! subjects = ["orders.>"]
//! [processes]
//! services = 2                             # service processes; default 1
//! restart = true                           # start again what ends unasked; default false
//! [services.orders]                        # handed to the service process as it is
//! workers = 2
//! [proxy]
//! client = true                            # the client's network can be made bad
//! services = true                          # and that of the services
//! [promise.order]                          # what becomes of operations: see `promises`
//! operation = { submit = "orders.new" }
//! key = "/order_id"
//! effect = { stream = "RECEIPTS", key = "/order_id" }
//! [[step]]                                 # exactly one verb each
//! call = "sums.add"
//! args = [1, 2]
//! reply = 3
//! [[check]]                                # what must hold at the end, and stay so
//! stream = "ORDERS"
//! ```
//!
//! Each verb, fault, check and matcher, with what goes with it, is in `docs/scenarios.md`, and
//! promises are in `docs/promises.md`: the tables there have the words of `keys`, `verbs` and `faults`
//! and no other (`documented`).
//!
//! | file | idea |
//! | --- | --- |
//! | `form` | a key, and what its value looks like |
//! | `keys` | every key with its form and what it says: for reader, schema, form and document |
//! | `expand` | rows and includes, written out before anything else is read |
//! | `parse`, `steps`, `verbs`, `expects`, `checks`, … | read what is written out into an [`ast`](Fixture) |
//! | `services` | which services it needs, what is different of them, or its own |
//! | `setup` | what is done before they start |
//! | `stored`, `stored_keys` | streams, consumers, buckets and object stores that are made first |
//! | `promises` | `[promise.NAME]` of fixtures and suites |
//! | `reader`, `findings` | a table key by key; mistakes with their place |
//! | `messages`, `replies` | so many messages, or replies to one request, and no more |
//! | `beside` | entries of buckets, objects, requests to a web side |
//! | `held` | checks of streams, buckets, consumers, and of what services print |
//! | `sent` | what a scenario itself sends |
//! | `subjects`, `pointer` | what cannot be a subject, or a JSON pointer |
//! | `item`, `data` | values of TOML as JSON, settings, patterns |
//! | `environment` | where a service or a program runs, and what it is given |
//! | `context` | what only the caller knows |
//! | [`suite`] | a suite file: services, clients and scenarios of one's own |
//! | `elsewhere` | a broker that somebody else runs, and what a scenario cannot have there |
//! | `fill`, `clustered` | a step with its variables filled in; the same scenario on a cluster |
//! | `shrink` | what of a fixture could go |
//! | `schema`, `format` | for editors; the one form |

pub(crate) mod ast;
pub(crate) mod beside;
pub(crate) mod checks;
pub(crate) mod clustered;
pub(crate) mod context;
pub(crate) mod data;
mod deaf;
#[cfg(test)]
pub(crate) mod documented;
pub(crate) mod elsewhere;
pub(crate) mod environment;
pub(crate) mod expand;
pub(crate) mod expects;
pub(crate) mod faults;
pub(crate) mod feeds;
pub(crate) mod fill;
pub(crate) mod findings;
pub(crate) mod form;
pub(crate) mod format;
pub(crate) mod held;
pub(crate) mod idle;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod message_faults;
pub(crate) mod messages;
pub(crate) mod outgoing;
pub(crate) mod parse;
pub(crate) mod pointer;
pub(crate) mod promises;
pub(crate) mod reader;
pub(crate) mod replies;
pub(crate) mod schema;
pub(crate) mod sent;
pub(crate) mod services;
pub(crate) mod setup;
pub(crate) mod shrink;
pub(crate) mod steps;
pub(crate) mod stored;
pub(crate) mod stored_keys;
pub(crate) mod subjects;
pub mod suite;
pub(crate) mod verbs;

pub use ast::service::{Ready, Service};
pub use clustered::OnCluster;
pub use suite::Suite;

pub use super::text::span::Span;
pub use crate::e2e::text::error::{FixtureError, Problem, nearest, point_at};
pub use crate::e2e::text::name::{Name, NameError};
pub use crate::e2e::text::source::Source;
pub use ast::check::{Asked, Check, CheckKind};
pub use ast::crash::{Point, PointError};
pub use ast::elsewhere::Elsewhere;
pub use ast::hazard::{HazardKind, Hazards};
pub use ast::payload::Payload;
pub use ast::promise::Promise;
pub use ast::scenario::{BrokerTable, Defaults, Fixture, Leaks, Processes, ProxyTable};
pub use ast::step::{Action, Expect, Load, Outgoing, Save, Step};
pub use context::Context;
pub use form::{Form, Key, key};
pub use format::format;
pub use keys::CheckWord;
pub use parse::parse;
pub use promises::parse as parse_promise;
pub use schema::schema;
