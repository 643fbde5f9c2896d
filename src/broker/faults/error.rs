//! Why something did not break or mend as asked.

use crate::broker::cluster::ClusterError;
use crate::broker::error::{StartError, StopError};
use crate::counted::counted;
use crate::process::SignalError;

/// Why something did not break or mend as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// A server did not come back.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A server did not end, pause or go on.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// A cluster did not break or heal.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A service process did not end, pause or go on.
    #[error(transparent)]
    Service(#[from] SignalError),
    /// The service processes did not come back.
    #[error("{0}")]
    Services(String),
    /// There is only one server, and the fault is about several.
    #[error("there is no cluster")]
    NoCluster,
    /// The server is somebody else's.
    #[error("the broker is one that somebody else runs")]
    Elsewhere,
    /// Nobody whom it would hit is behind a proxy.
    #[error("nobody is behind a proxy")]
    NoProxy,
    /// It is about messages, and does not say which.
    #[error("it is not said which messages: `Fault::messages`")]
    NoMessages,
    /// What is sent is encrypted.
    #[error(
        "the broker speaks TLS: nobody between a client and it can tell one message from another, so \
         none can be lost, doubled, delayed or swapped there"
    )]
    Encrypted,
    /// There are no service processes that run.
    #[error("matched nothing: no process of a service runs")]
    NoServices,
    /// A connection was to be cut after some bytes, and so many of them did not come.
    #[error("nothing was cut: {} had to pass first", counted(*left, "more byte"))]
    NothingCut {
        /// How many were still to come.
        left: u64,
    },
    /// Connections were to be cut, and there were none.
    #[error("nothing was cut: nobody had a connection through the proxy within {after:?}")]
    NobodyConnected {
        /// How long was waited for one.
        after: std::time::Duration,
    },
    /// The connections that were to be cut are still open.
    #[error("the connections were not cut within {after:?}")]
    NotCut {
        /// How long was waited.
        after: std::time::Duration,
    },
}
