//! The bad networks of a run: a proxy before each server, for each side that is to have one.

use std::collections::BTreeMap;
use std::io;

use super::brokers::Brokers;
use crate::broker::Proxy;
use crate::e2e::scenario::ast::scenario::ProxyTable;

/// Proxies before all servers; none for a side that connects directly.
#[derive(Default)]
pub(in crate::e2e) struct Networks {
    pub(in crate::e2e) client: Vec<Proxy>,
    /// Each service has proxies of its own, so that it is known whose messages pass.
    pub(in crate::e2e) services: Vec<(String, Vec<Proxy>)>,
}

impl Networks {
    /// Starts what the fixture asks for. Each proxy has dice of its own.
    pub(in crate::e2e) async fn start(
        table: ProxyTable,
        brokers: &Brokers,
        services: impl IntoIterator<Item = String>,
        seed: u64,
    ) -> io::Result<Self> {
        let mut networks = Self::default();
        if table.client {
            networks.client = before(brokers, seed).await?;
        }
        let services = services.into_iter().filter(|_| table.services);
        for (number, service) in services.enumerate() {
            let seed = seed.wrapping_add(1).wrapping_add((number as u64) << 32);
            networks.services.push((service, before(brokers, seed).await?));
        }
        Ok(networks)
    }

    /// Where the client connects.
    pub(in crate::e2e) fn client_url(&self, brokers: &Brokers) -> String {
        url(&self.client, brokers)
    }

    /// Where each service connects, by its name, if it is behind proxies.
    pub(in crate::e2e) fn service_urls(&self, brokers: &Brokers) -> BTreeMap<String, String> {
        let urls =
            self.services.iter().map(|(name, proxies)| (name.clone(), url(proxies, brokers)));
        urls.collect()
    }

    /// Ends every connection and closes the ports.
    pub(in crate::e2e) async fn stop(self) {
        let services = self.services.into_iter().flat_map(|(_, proxies)| proxies);
        for proxy in self.client.into_iter().chain(services) {
            proxy.stop().await;
        }
    }
}

/// A proxy before each server.
async fn before(brokers: &Brokers, seed: u64) -> io::Result<Vec<Proxy>> {
    let mut proxies = Vec::new();
    for (number, port) in brokers.ports().into_iter().enumerate() {
        proxies.push(Proxy::start(port, seed.wrapping_add(2 * number as u64)).await?);
    }
    Ok(proxies)
}

/// All of them, comma separated.
fn url(proxies: &[Proxy], brokers: &Brokers) -> String {
    match proxies {
        [] => brokers.url().to_owned(),
        proxies => proxies.iter().map(Proxy::url).collect::<Vec<_>>().join(","),
    }
}
