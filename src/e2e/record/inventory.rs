//! What still stands of a run, as plain data: for whoever shows it.

use std::path::PathBuf;

use serde::Serialize;

/// Everything that is up, and where it is. No password is in it.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// All brokers, comma separated.
    pub url: String,
    /// The run's private folder, which goes with it.
    pub folder: PathBuf,
    /// The broker, or each node of the cluster.
    pub brokers: Vec<BrokerAt>,
    /// The service processes; none where they have drained and ended.
    pub services: Vec<ServiceAt>,
    /// Their lines, the last ones and each that comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_log: Option<PathBuf>,
    /// What they were told, TOML.
    pub service_settings: PathBuf,
    /// The folder of the journals that services have written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journals: Option<PathBuf>,
    /// The run's history.
    pub history: PathBuf,
    /// Proxies before the brokers.
    pub networks: NetworksAt,
    /// What the scenario broke and did not mend.
    pub broken: Vec<String>,
    /// Of that, that services stand still: whoever asks them waits.
    pub services_paused: bool,
}

/// One server.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerAt {
    /// Where it listens.
    pub url: String,
    /// Where JetStream keeps its messages.
    pub store: PathBuf,
    /// Its whole log.
    pub log: PathBuf,
    /// How it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// One service process.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceAt {
    /// As faults and logs call it.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// How it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Where those connect who have a network of their own.
#[derive(Debug, Clone, Serialize)]
pub struct NetworksAt {
    /// The client under test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<String>,
}
