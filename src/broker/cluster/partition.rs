//! A node that is cut off from the others: clients reach it, and no other node does.

use super::error::ClusterError;
use super::handle::Cluster;
use super::ready;
use crate::broker::lifecycle::Broker;

impl Cluster {
    /// Cuts a node off from the others, as if its cables to them were cut: nothing arrives, either way, and
    /// nobody is told. Its clients stay with it. Returns once the others go on: one of them answers for
    /// JetStream, and each stream that has most of its copies there is led by one of them.
    ///
    /// What the node led goes on believing so for some seconds, takes messages, and acknowledges none.
    /// [`heal`](Self::heal) ends it.
    ///
    /// # Errors
    /// If there is no such node, [`ClusterError::NoPartitions`] unless the cluster was started
    /// [for it](crate::broker::ClusterSettings::partitions), and
    /// [`NotReady`](ClusterError::NotReady) or [`NoLeader`](ClusterError::NoLeader) where the others do not
    /// go on.
    pub async fn isolate(&self, node: usize) -> Result<(), ClusterError> {
        let alone = self.node(node)?;
        let routes = self.routes.as_ref().ok_or(ClusterError::NoPartitions)?;
        let (all, settings) = (self.nodes.iter().collect::<Vec<_>>(), &self.settings);
        let others: Vec<&Broker> =
            all.iter().filter(|other| other.name() != alone.name()).copied().collect();
        let streams = ready::streams_with_a_majority(&all, settings, &others).await?;
        routes.isolate(node);
        ready::api_answers(&others, settings).await?;
        for stream in streams {
            ready::leader(&others, settings, &stream).await?;
        }
        Ok(())
    }
}
