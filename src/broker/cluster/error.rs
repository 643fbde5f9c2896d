//! Why a cluster did not start, break or heal as asked, with the evidence.

use std::io;
use std::time::Duration;

use crate::broker::error::{StartError, StopError};
use crate::counted::counted;

/// Why a cluster did not start, break or heal as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// A cluster of so many nodes cannot be.
    #[error("a cluster of {} cannot lose any: 3 or more are needed", counted(*nodes, "node"))]
    TooFew {
        /// How many were asked for.
        nodes: usize,
    },
    /// There is no such node.
    #[error("there is no node {node}: the cluster has {nodes}, counted from 0")]
    NoNode {
        /// The node that was asked for.
        node: usize,
        /// How many there are.
        nodes: usize,
    },
    /// A folder that the cluster needs could not be made or used.
    #[error("the cluster could not be prepared: {source}")]
    Prepare {
        /// What went wrong.
        source: StartError,
    },
    /// The system has no ports left.
    #[error("no ports for the nodes to listen on for each other: {source}")]
    Ports {
        /// What the operating system said.
        source: io::Error,
    },
    /// A node did not start.
    #[error("node {node} of the cluster: {source}")]
    Start {
        /// Which, from 0.
        node: usize,
        /// What went wrong.
        source: StartError,
    },
    /// A node was not stopped, killed, paused or resumed.
    #[error("node {node} of the cluster: {source}")]
    Stop {
        /// Which, from 0.
        node: usize,
        /// What went wrong.
        source: StopError,
    },
    /// The files of a node that was to lose them could not be removed.
    #[error("node {node} of the cluster was killed, but its store could not be removed: {source}")]
    Wipe {
        /// Which, from 0.
        node: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// The servers run, but do not work as a cluster.
    #[error(
        "the cluster was not ready after {after:?}: still {waiting_for}; {}",
        last_lines(tails)
    )]
    NotReady {
        /// How long it was given.
        after: Duration,
        /// The observation that was still missing.
        waiting_for: String,
        /// The last lines of each node's log.
        tails: Vec<Vec<String>>,
    },
    /// The nodes reach each other directly, so that none can be cut off.
    #[error(
        "the routes between the nodes do not go through proxies, so that none can be cut off from the others: \
         `ClusterSettings::partitions` puts them there"
    )]
    NoPartitions,
    /// Something needs all nodes, and one is cut off from the others.
    #[error(
        "node {node} of the cluster is cut off from the others, and this needs all nodes: `heal` ends it"
    )]
    CutOff {
        /// Which, from 0.
        node: usize,
    },
    /// There is no such stream.
    #[error("there is no stream `{stream}`")]
    NoStream {
        /// The stream.
        stream: String,
    },
    /// The stream has no leader, and none was elected.
    #[error("stream `{stream}` had no leader after {after:?}: still {waiting_for}")]
    NoLeader {
        /// The stream.
        stream: String,
        /// How long was waited.
        after: Duration,
        /// The observation that was still missing.
        waiting_for: String,
    },
}

impl ClusterError {
    /// What to do about it, as one line, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prepare { source } | Self::Start { source, .. } => source.hint(),
            _ => None,
        }
    }
}

fn last_lines(tails: &[Vec<String>]) -> String {
    let line = |tail: &Vec<String>| match tail.iter().rfind(|line| !line.trim().is_empty()) {
        Some(line) => format!("`{line}`"),
        None => "nothing".to_owned(),
    };
    format!("last log lines: {}", tails.iter().map(line).collect::<Vec<_>>().join(", "))
}
