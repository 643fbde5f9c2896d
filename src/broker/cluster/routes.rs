//! The routes between the nodes of a cluster that can be cut: a proxy for each node and each other that it
//! connects to, so that it is known whose bytes pass.
//!
//! Nodes tell each other where they listen, and would connect there beside what they are configured with
//! (gossip). So each tells a port at which nobody listens: that a node is reached otherwise than through
//! a proxy, no node learns.

use std::io;

use crate::broker::ports::Placeholder;
use crate::broker::proxy::Proxy;

/// A proxy for each way from a node to another.
#[derive(Debug)]
pub(super) struct Routes {
    ways: Vec<Way>,
    /// Where each node says that it listens, in their order; held for life.
    told: Vec<Placeholder>,
    /// The node that is cut off from the others.
    cut_off: Option<usize>,
}

#[derive(Debug)]
struct Way {
    from: usize,
    to: usize,
    proxy: Proxy,
}

impl Routes {
    /// Between nodes that listen for each other on these ports.
    pub(super) async fn between(ports: &[u16]) -> io::Result<Self> {
        let mut ways = Vec::new();
        for from in 0..ports.len() {
            for (to, port) in ports.iter().enumerate().filter(|(to, _)| *to != from) {
                // The seed is 0: these proxies draw nothing from it.
                ways.push(Way { from, to, proxy: Proxy::start(*port, 0).await? });
            }
        }
        let told = ports.iter().map(|_| Placeholder::any()).collect::<io::Result<_>>()?;
        Ok(Self { ways, told, cut_off: None })
    }

    /// Where this node finds the node `to`.
    pub(super) fn port(&self, from: usize, to: usize) -> Option<u16> {
        let way = self.ways.iter().find(|way| (way.from, way.to) == (from, to));
        way.map(|way| way.proxy.port())
    }

    /// Where this node says that it listens.
    pub(super) fn told(&self, node: usize) -> Option<u16> {
        self.told.get(node).map(Placeholder::port)
    }

    /// Nothing arrives at this node or from it; nobody is told.
    pub(super) fn isolate(&mut self, node: usize) {
        self.cut_off = Some(node);
        let cut = self.ways.iter().filter(|way| way.from == node || way.to == node);
        cut.for_each(|way| way.proxy.black_hole());
    }

    /// All arrives again: connections that have lost something are reset, and made anew.
    pub(super) fn heal(&mut self) {
        self.cut_off = None;
        self.ways.iter().for_each(|way| way.proxy.heal());
    }

    /// The node that is cut off from the others.
    pub(super) fn cut_off(&self) -> Option<usize> {
        self.cut_off
    }
}
