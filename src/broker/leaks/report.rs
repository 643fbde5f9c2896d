//! The server's report on its clients and consumers, as typed data.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::http::{MonitorError, get};
use crate::broker::cluster::Cluster;
use crate::broker::lifecycle::Broker;

/// Who is connected, and what was delivered and not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeakReport {
    /// Every client that is connected.
    pub connections: Vec<ClientConnection>,
    /// Every consumer of every stream; those of a cluster as their leaders see them.
    pub consumers: Vec<ConsumerState>,
}

/// One client that is connected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ClientConnection {
    /// The name that the client gave; empty if it gave none.
    #[serde(default)]
    pub name: String,
    /// The server's number for the connection.
    pub cid: u64,
    /// As whom it is connected; empty where the server asks nobody.
    #[serde(default, rename = "authorized_user")]
    pub user: String,
    /// The subjects it subscribes to, one for each subscription.
    #[serde(default, rename = "subscriptions_list")]
    pub subscriptions: Vec<String>,
    /// Bytes that it has not taken yet.
    #[serde(default)]
    pub pending_bytes: u64,
}

/// One consumer of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConsumerState {
    /// The stream.
    #[serde(rename = "stream_name")]
    pub stream: String,
    /// The consumer.
    pub name: String,
    /// Whether it stays until somebody deletes it; others go once nobody has used them for a while.
    #[serde(default, rename = "config", deserialize_with = "has_durable_name")]
    pub durable: bool,
    /// Whether somebody listens where it pushes to.
    #[serde(default)]
    pub push_bound: bool,
    /// Messages that were delivered and are not acknowledged.
    #[serde(rename = "num_ack_pending")]
    pub unacknowledged: u64,
    /// Messages that were not delivered yet.
    #[serde(rename = "num_pending")]
    pub pending: u64,
    /// Messages that were delivered more than once and are not acknowledged.
    #[serde(rename = "num_redelivered")]
    pub redelivered: u64,
    /// Pull requests that wait for messages.
    #[serde(rename = "num_waiting")]
    pub waiting: u64,
}

/// What all connections of one name hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Connections.
    pub connections: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}

impl ConsumerState {
    /// Whether somebody waits for its messages just now.
    #[must_use]
    pub fn in_use(&self) -> bool {
        self.push_bound || self.waiting > 0
    }
}

impl LeakReport {
    /// What the clients hold, by the names that they gave.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<&str, Share> {
        let mut shares = BTreeMap::<&str, Share>::new();
        for connection in &self.connections {
            let share = shares.entry(&connection.name).or_default();
            share.connections += 1;
            share.subscriptions += connection.subscriptions.len();
        }
        shares
    }

    /// A consumer, if the stream has it.
    #[must_use]
    pub fn consumer(&self, stream: &str, name: &str) -> Option<&ConsumerState> {
        self.consumers.iter().find(|consumer| consumer.stream == stream && consumer.name == name)
    }

    /// `node` is its name in a cluster: of what several nodes know, its leader's word counts.
    async fn of(port: u16, node: &str) -> Result<LeakReport, MonitorError> {
        const PAGE: usize = 1024;
        let mut report = LeakReport::default();
        loop {
            let seen = report.connections.len();
            let path = format!("/connz?subs=1&auth=1&sort=cid&limit={PAGE}&offset={seen}");
            let page: Vec<ClientConnection> = list(port, &path, "/connections").await?;
            let last = page.len() < PAGE;
            report.connections.extend(page);
            if last {
                break;
            }
        }
        let path = "/jsz?consumers=1&config=1&limit=1000000";
        let accounts: Vec<Value> = list(port, path, "/account_details").await?;
        let of = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let streams = accounts.iter().flat_map(|account| of(account, "stream_detail"));
        let consumers = streams.flat_map(|stream| of(&stream, "consumer_detail"));
        for consumer in consumers.filter(|consumer| leads(node, consumer)) {
            report.consumers.push(typed(port, path, consumer)?);
        }
        Ok(report)
    }
}

/// Whether this node's word on a consumer counts; outside of a cluster it always does.
fn leads(node: &str, consumer: &Value) -> bool {
    match consumer["cluster"].as_object() {
        Some(cluster) => cluster.get("leader").is_some_and(|leader| leader == node),
        None => true,
    }
}

fn has_durable_name<'de, D: Deserializer<'de>>(config: D) -> Result<bool, D::Error> {
    let config = Option::<Value>::deserialize(config)?;
    Ok(config.is_some_and(|config| config["durable_name"].as_str().is_some_and(|n| !n.is_empty())))
}

async fn list<T: DeserializeOwned>(
    port: u16,
    path: &str,
    pointer: &str,
) -> Result<Vec<T>, MonitorError> {
    let answer = get(port, path).await?;
    // Left out where there are none.
    let found = answer.pointer(pointer).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    typed(port, path, found)
}

fn typed<T: DeserializeOwned>(port: u16, path: &str, value: Value) -> Result<T, MonitorError> {
    let start = value.to_string().chars().take(200).collect();
    serde_json::from_value(value).map_err(|e| MonitorError::Unexpected {
        url: format!("http://127.0.0.1:{port}{path}"),
        problem: e.to_string(),
        start,
    })
}

impl Broker {
    /// What is left behind at the broker just now; it needs
    /// [`monitoring`](crate::broker::Settings::monitoring).
    ///
    /// A connection that was just closed may still be in it: ask again.
    ///
    /// # Errors
    /// [`MonitorError::Off`] without monitoring, and others if it does not answer as documented.
    pub async fn leak_report(&self) -> Result<LeakReport, MonitorError> {
        let port = self.monitoring_port().ok_or(MonitorError::Off)?;
        LeakReport::of(port, self.name()).await
    }
}

impl Cluster {
    /// What is left behind at the nodes that are up, together; as [`Broker::leak_report`].
    ///
    /// # Errors
    /// As [`Broker::leak_report`].
    pub async fn leak_report(&self) -> Result<LeakReport, MonitorError> {
        let mut all = LeakReport::default();
        for node in self.nodes().iter().filter(|node| node.try_status().is_none()) {
            let report = node.leak_report().await?;
            all.connections.extend(report.connections);
            all.consumers.extend(report.consumers);
        }
        Ok(all)
    }
}
