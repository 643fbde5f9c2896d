//! Several servers that replicate each other's streams.
//!
//! | file | idea |
//! | --- | --- |
//! | `handle` | start, break, heal and stop them as one |
//! | `partition` | cut a node off from the others, and see that they go on |
//! | `routes` | the proxies between the nodes |
//! | `ready` | the observations that prove them ready: a replicated write, a leader, replicas that keep up |
//! | `error` | why not, with the evidence |

mod error;
mod handle;
mod partition;
mod ready;
mod routes;

pub use error::ClusterError;
pub use handle::Cluster;
