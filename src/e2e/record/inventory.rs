//! The parts of a run that are still running, as plain data for reports.

use std::path::PathBuf;

use serde::Serialize;

/// Everything that is still running, and where it is. It contains no password.
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
    /// The file of their output, the last lines and new ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_log: Option<PathBuf>,
    /// Their settings, TOML.
    pub service_settings: PathBuf,
    /// The folder of the journals that services have written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journals: Option<PathBuf>,
    /// The run's history.
    pub history: PathBuf,
    /// Proxies before the brokers.
    pub networks: NetworksAt,
    /// Faults that the scenario injected and did not end.
    pub broken: Vec<String>,
    /// Faults by message, and how many messages each has hit.
    pub message_faults: Vec<String>,
    /// Whether services are paused, so that requests to them wait.
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

/// The addresses of the proxies.
#[derive(Debug, Clone, Serialize)]
pub struct NetworksAt {
    /// The client under test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<String>,
}
