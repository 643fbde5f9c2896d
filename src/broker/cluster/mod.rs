//! Several servers that replicate each other's streams.
//!
//! | file | idea |
//! | --- | --- |
//! | `handle` | start, break, heal and stop them as one |
//! | `ready` | the observations that prove them ready: a replicated write, a leader, replicas that keep up |
//! | `error` | why not, with the evidence |

mod error;
mod handle;
mod ready;

pub use error::ClusterError;
pub use handle::Cluster;
