//! nats-servers, one or a cluster: from settings to ready, through faults, to nothing left behind.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings` | what is wanted |
//! | `config` | the same in nats-server's own language |
//! | `launch` | from a config file to a server that has been proved ready |
//! | `ready` | the observations that prove it |
//! | `lifecycle` | the handle: kill, restart, pause, stop |
//! | `ports` | keeps a port from being taken while its server is down |
//! | `store` | one broker a store folder; a cluster's names |
//! | `roles` | who may do what: users, their subjects, their passwords |
//! | `cluster` | the handle to several servers: leaders, quorum, healing |
//! | `leaks` | what is left behind: connections, subscriptions, unacknowledged messages |
//! | `faults` | one handle that breaks servers, networks and service processes |
//! | `proxy` | a bad network on demand, in front of a broker |

mod cluster;
mod config;
mod error;
mod faults;
mod launch;
mod leaks;
mod lifecycle;
mod ports;
mod proxy;
mod ready;
mod roles;
mod settings;
mod store;

pub use cluster::{Cluster, ClusterError};
pub use error::{StartError, StopError};
pub use faults::{Fault, FaultError, Faults, Servers, ServiceProcesses, Side, What};
pub use leaks::{ClientConnection, ConsumerState, LeakReport, MonitorError, Share};
pub use lifecycle::Broker;
pub use proxy::{Counts, Cut, Direction, Proxy};
pub use roles::{Credentials, Permissions, Role, Roles};
pub use settings::{Auth, ClusterSettings, Port, Settings, Store, Tls};
