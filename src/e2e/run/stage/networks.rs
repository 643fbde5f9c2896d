//! The bad networks of a run: a proxy before each server, for each side that is to have one.

use std::io;

use super::brokers::Brokers;
use crate::broker::Proxy;
use crate::e2e::scenario::ast::scenario::ProxyTable;

/// Proxies before all servers; none for a side that connects directly.
#[derive(Default)]
pub(in crate::e2e) struct Networks {
    pub(in crate::e2e) client: Vec<Proxy>,
    pub(in crate::e2e) services: Vec<Proxy>,
}

impl Networks {
    /// Starts what the fixture asks for. Each proxy has dice of its own.
    pub(in crate::e2e) async fn start(
        table: ProxyTable,
        brokers: &Brokers,
        seed: u64,
    ) -> io::Result<Self> {
        let mut networks = Self { client: Vec::new(), services: Vec::new() };
        for (number, port) in brokers.ports().into_iter().enumerate() {
            let seed = seed.wrapping_add(2 * number as u64);
            if table.client {
                networks.client.push(Proxy::start(port, seed).await?);
            }
            if table.services {
                networks.services.push(Proxy::start(port, seed.wrapping_add(1)).await?);
            }
        }
        Ok(networks)
    }

    /// Where the client connects.
    pub(in crate::e2e) fn client_url(&self, brokers: &Brokers) -> String {
        url(&self.client, brokers)
    }

    /// Where the services connect.
    pub(in crate::e2e) fn services_url(&self, brokers: &Brokers) -> String {
        url(&self.services, brokers)
    }

    /// Ends every connection and closes the ports.
    pub(in crate::e2e) async fn stop(self) {
        for proxy in self.client.into_iter().chain(self.services) {
            proxy.stop().await;
        }
    }
}

/// All of them, comma separated.
fn url(proxies: &[Proxy], brokers: &Brokers) -> String {
    match proxies {
        [] => brokers.url().to_owned(),
        proxies => proxies.iter().map(Proxy::url).collect::<Vec<_>>().join(","),
    }
}
