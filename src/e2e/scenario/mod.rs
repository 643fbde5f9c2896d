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
//! | verb | goes with | seen, to be expected |
//! | --- | --- | --- |
//! | `call` | `args`, `kwargs` | `reply` or `error` |
//! | `request` | one of `body`, `text`, `bytes_base64`, `body_file`, `body_size`; `headers`; `replies` or `unordered` | `reply`, `reply_headers` or `error` |
//! | `publish` | a message, as above | `error` |
//! | `submit` | the same | `ack` or `error` |
//! | `run` | `cwd`, `env` | `exit` (0 unless said), `stdout`, `stderr` |
//! | `fault` | its values, below | |
//! | `settle` | `true` | |
//! | `expect_message` | `subject`, `body`, `headers`, `none` in its table | |
//! | `expect_messages` | `subject`, `count`, `body`, `headers`, `unordered` in its table | |
//! | `include` | `with` | |
//!
//! Every verb but `fault` and `settle` takes `timeout` (one attempt), `within` (asked again until
//! it holds), `repeat` with `{{n}}`, `concurrency`, `save` and `match = "exact"`. An outcome that
//! is an error fails the step unless `error` expects it.
//!
//! `submit` also takes `again = 5` (of a hundred, how many are submitted once more), `copies = 8`
//! (each is submitted by so many clients at once, counted by `{{k}}`) and
//! `under = { kill-broker = 20, kill-service = 20 }` (what breaks meanwhile, and how often): each
//! is then sent until it is acknowledged, and the seed says when things break. One with values is
//! a table: `under = { pause-broker = { times = 1, for = "5s" } }`.
//! With `rate = 50` at most so many are begun in a second, so that a load lasts as long as what
//! breaks. With `client_dies = true` each is submitted first by a client process that aborts before it reads
//! the answer. `publish` takes `under` too: nothing acknowledges it, so it is sent once.
//!
//! # Faults
//! | fault | values (with what they are unless said) | what happens |
//! | --- | --- | --- |
//! | `kill-broker`, `restart-broker`, `lame-duck` | | SIGKILL, SIGTERM, or lame duck mode; back on the same port and store. Of a cluster each node in turn |
//! | `pause-broker`, `resume-broker` | `for` | SIGSTOP, SIGCONT; of a cluster all nodes |
//! | `kill-leader`, `stop-leader` | `stream` | the node that leads this stream; unless said those that the suite names, in turns: SIGKILL or SIGTERM; back, and healed |
//! | `kill-node` | `nodes = 1` | so many nodes at once, chosen by the seed; back, and healed |
//! | `lose-quorum`, `heal` | `for`, `stream` | all nodes killed but the one that takes submissions; all back |
//! | `kill-services`, `restart-services`, `stop-services`, `start-services` | `for` (of `stop-`) | every service process |
//! | `kill-service`, `restart-service`, `stop-service`, `pause-service` | `for` (of `stop-`, `pause-`) | one of several, the oldest first |
//! | `pause-services`, `resume-services` | `for` | SIGSTOP; SIGCONT to all that are paused |
//! | `delay` | `latency = "50ms"`, `jitter = "0ms"`, `on`, `for` | every byte later, each way; the jitter is drawn from the seed |
//! | `cut` | `after_bytes`, `direction = "to-server"`, `on` | connections are reset now, or one in the middle of a message after so many bytes |
//! | `chop` | `chunk = 10`, `every = "1ms"`, `on`, `for` | writes of so few bytes |
//! | `blackhole`, `refuse` | `on`, `for` | nothing arrives and nobody says so; new connections are refused |
//! | `half-open` | `direction = "to-client"`, `on`, `for` | nothing arrives in this direction |
//! | `heal-network` | `on` | the network is good again |
//!
//! `on` is `"client"` or `"services"`: whose network; everybody's who is behind a proxy unless said.
//! `for` is how long it lasts, until something mends it unless said.
//!
//! `[[row]]` makes a scenario of each row, `include` stands for the steps of another file, and
//! `[[teardown]]` is done whatever the steps came to. `docs/scenarios.md` is the user's page.
//!
//! | file | idea |
//! | --- | --- |
//! | `form` | a key, and what its value looks like |
//! | `keys` | every key with its form and what it says: for reader, schema, form and document |
//! | `expand` | rows and includes, written out before anything else is read |
//! | `parse`, `steps`, `verbs`, `expects`, `checks`, … | read what is written out into an [`ast`](Fixture) |
//! | `stored`, `stored_keys` | streams, consumers, buckets and object stores that are made first |
//! | `promises` | `[promise.NAME]` of fixtures and suites |
//! | `reader`, `findings` | a table key by key; mistakes with their place |
//! | `messages`, `replies` | so many messages, or replies to one request, and no more |
//! | `item`, `data` | values of TOML as JSON, settings, patterns |
//! | `environment` | where a service or a program runs, and what it is given |
//! | `context` | what only the caller knows |
//! | [`suite`] | a suite file: services, clients and scenarios of one's own |
//! | `fill`, `clustered` | a step with its variables filled in; the same scenario on a cluster |
//! | `schema`, `format` | for editors; the one form |

pub(crate) mod ast;
pub(crate) mod checks;
pub(crate) mod clustered;
pub(crate) mod context;
pub(crate) mod data;
pub(crate) mod environment;
pub(crate) mod expand;
pub(crate) mod expects;
pub(crate) mod faults;
pub(crate) mod fill;
pub(crate) mod findings;
pub(crate) mod form;
pub(crate) mod format;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod outgoing;
pub(crate) mod parse;
pub(crate) mod promises;
pub(crate) mod reader;
pub(crate) mod replies;
pub(crate) mod schema;
pub(crate) mod steps;
pub(crate) mod stored;
pub(crate) mod stored_keys;
pub mod suite;
pub(crate) mod verbs;

pub use clustered::OnCluster;
pub use suite::{Ready, Service, Suite};

pub use super::text::span::Span;
pub use crate::e2e::text::error::{FixtureError, Problem, nearest, point_at};
pub use crate::e2e::text::name::{Name, NameError};
pub use crate::e2e::text::source::Source;
pub use ast::check::{Asked, Check, CheckKind};
pub use ast::promise::Promise;
pub use ast::scenario::{BrokerTable, Defaults, Fixture, Leaks, Processes, ProxyTable};
pub use ast::step::{Action, Expect, Load, Outgoing, Payload, Save, Step};
pub use context::Context;
pub use form::{Form, Key, key};
pub use format::format;
pub use keys::CheckWord;
pub use parse::parse;
pub use schema::schema;
