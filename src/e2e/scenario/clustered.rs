//! The same scenario on a cluster: what of it changes, and why some cannot.

use super::ast::scenario::Fixture;

/// Every scenario that has no cluster of its own runs on one of these.
#[derive(Debug, Clone)]
pub struct OnCluster {
    /// How many servers.
    pub nodes: usize,
    /// Settings of services, a table a module, where the fixture says nothing else: what makes them
    /// keep a copy on every server.
    pub services: toml::Table,
}

impl OnCluster {
    /// The scenario as it runs on the cluster; one that has a cluster stays as it is.
    ///
    /// # Errors
    /// Why it cannot.
    pub(in crate::e2e) fn adapt(&self, fixture: &Fixture) -> Result<Fixture, String> {
        if fixture.broker.url.is_some() {
            return Err("its broker is one that somebody else runs".to_owned());
        }
        let mut fixture = fixture.clone();
        if fixture.broker.cluster.is_some() {
            return Ok(fixture);
        }
        fixture.broker.cluster = Some(self.nodes);
        for (module, usual) in &self.services {
            let settings = fixture.services.entry(module.clone());
            let settings = settings.or_insert_with(|| toml::Table::new().into());
            if let (Some(settings), Some(usual)) = (settings.as_table_mut(), usual.as_table()) {
                for (key, value) in usual {
                    settings.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        Ok(fixture)
    }
}
