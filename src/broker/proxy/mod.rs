//! A bad network on demand: a TCP proxy in front of a broker, whose faults are switched at run time.
//!
//! | file | idea |
//! | --- | --- |
//! | `handle` | the switches |
//! | `direction` | the two ways through it |
//! | `plan` | what the network does just now; the seeded dice |
//! | `messages` | the protocol, message by message, and what becomes of each |
//! | `counts`, `gauge` | what it has done |
//! | `listen` | accepts, refuses, connects |
//! | `link` | one connection: two pumps and its end |
//!
//! A client whose only URL is the proxy's stays behind it: our brokers tell clients of no other
//! address (a single server's INFO carries no `connect_urls`, and a cluster's nodes are started with
//! `no_advertise`). For a client that must know several nodes, put a proxy in front of each and give
//! it the proxies' URLs.

mod counts;
mod direction;
mod gauge;
mod handle;
mod link;
mod listen;
mod messages;
mod network;
mod plan;

pub use counts::Counts;
pub use direction::Direction;
pub(in crate::broker) use gauge::Gauge;
pub use handle::Proxy;
pub use messages::kind::MessageKind;
pub(in crate::broker) use messages::rule::ordinal;
pub use messages::rule::{Fate, Heard, Hit, Matching, MessageRule, Moment, Turn};
pub use messages::tap::{Passing, Tap};
pub use plan::Cut;
pub(in crate::broker) use plan::dice;
