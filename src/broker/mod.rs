//! nats-servers, one or a cluster: from settings to ready, through faults, to nothing left behind.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings` | the settings of a broker |
//! | `config` | the same in nats-server's own language |
//! | `launch` | from a config file to a server that has been proved ready |
//! | `ready` | the observations that prove it |
//! | `lifecycle` | the handle: kill, restart, pause, stop |
//! | `ports` | keeps a port from being taken while its server is down |
//! | `store` | one broker a store folder |
//! | `names` | the names of a cluster's nodes, kept in its store folder |
//! | `roles` | the permissions: users and their subjects |
//! | `accounts` | which subjects of the services clients can use, each from its own account |
//! | `divided` | accounts that are added while a broker runs |
//! | `divide` | the handle again: adds them |
//! | `logins` | the users' passwords, and a key of the services |
//! | `secret` | random secrets |
//! | `cluster` | the handle to several servers: leaders, quorum, healing |
//! | `in_flight` | messages that consumers still have to deliver, or that are not acknowledged |
//! | `last_sequence` | the last message of a stream, as its leader has it |
//! | `leaks` | what is left behind: connections, subscriptions, unacknowledged messages |
//! | `faults` | one handle that breaks servers, networks and service processes |
//! | `proxy` | a bad network on demand, in front of a broker; messages that get lost in it |
//! | `subject` | subjects with wildcards |

mod accounts;
mod cluster;
mod config;
mod divide;
mod divided;
mod error;
mod faults;
mod in_flight;
mod included;
mod last_sequence;
mod launch;
mod leaks;
mod lifecycle;
mod logins;
mod names;
mod place;
mod ports;
mod proxy;
mod quoted;
mod reached;
mod ready;
mod roles;
mod secret;
mod settings;
mod shared;
mod store;
mod subject;

pub use accounts::accounts_config;
pub use cluster::{Cluster, ClusterError};
pub use divided::AccountError;
pub use error::{StartError, StopError};
pub use faults::{Fault, FaultError, Faults, PartOf, Reach, Servers, ServiceProcesses, Side, What};
pub use in_flight::{InFlight, in_flight};
pub use included::first_reserved;
pub use last_sequence::last_sequence;
pub use leaks::{ClientConnection, ConsumerState, LeakReport, MonitorError, Share};
pub use lifecycle::{Broker, try_run_folder};
pub use logins::{Credentials, Key};
pub use names::is_of_cluster;
pub use proxy::{
    Counts, Cut, Direction, Fate, Heard, Hit, Matching, MessageKind, MessageRule, Moment, Passing,
    Proxy, Tap, Turn,
};
pub use reached::Reached;
pub use roles::{Permissions, Role, Roles};
pub use secret::draw_secret;
pub use settings::{Auth, ClusterSettings, Port, Settings, Store, Tls};
pub use shared::Shared;
pub use store::copy_streams;
pub use subject::matches as subject_matches;
