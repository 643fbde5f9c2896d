//! A node that is cut off from the others: clients reach it, and no other node does.

use super::error::ClusterError;
use super::handle::Cluster;
use super::ready;
use super::routes::Routes;
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
    /// [for it](crate::broker::ClusterSettings::partitions), [`CutOff`](ClusterError::CutOff) if a node
    /// is cut off already, and [`NotReady`](ClusterError::NotReady) or
    /// [`NoLeader`](ClusterError::NoLeader) where the others do not go on.
    pub async fn isolate(&mut self, node: usize) -> Result<(), ClusterError> {
        self.node(node)?;
        self.whole()?;
        let routes = self.routes.as_mut().ok_or(ClusterError::NoPartitions)?;
        let (all, settings) = (self.nodes.iter().collect::<Vec<_>>(), &self.settings);
        let others = all.iter().enumerate().filter(|(other, _)| *other != node);
        let others: Vec<&Broker> = others.map(|(_, other)| *other).collect();
        let streams = ready::streams_with_a_majority(&all, settings, &others).await?;
        routes.isolate(node);
        ready::api_answers(&others, settings).await?;
        for stream in streams {
            ready::leader(&others, settings, &stream).await?;
        }
        Ok(())
    }

    /// The node that is [cut off](Self::isolate) from the others.
    #[must_use]
    pub fn cut_off(&self) -> Option<usize> {
        self.routes.as_ref().and_then(Routes::cut_off)
    }

    /// That no node is cut off: what asks all of them could ask that one, which never answers, and a
    /// [`heal`](Self::heal) after another fault would end the partition too, which nobody asked for.
    pub(in crate::broker) fn whole(&self) -> Result<(), ClusterError> {
        self.cut_off().map_or(Ok(()), |node| Err(ClusterError::CutOff { node }))
    }
}
