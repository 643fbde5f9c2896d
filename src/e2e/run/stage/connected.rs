//! Who is connected as a service, and listens to what, as the broker itself says.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::harness::Harness;
use crate::broker::Role;

/// Every server of the account's answers, with whom it has.
const ASK: &str = "$SYS.REQ.ACCOUNT.PING.CONNZ";
/// More connections of one server than that are not looked at.
const MOST: u32 = 1024;
/// One of several servers may be down: then the others' words count.
const LATE: Duration = Duration::from_secs(1);

/// A connection that did something as a service.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Connection {
    /// What it subscribes to.
    pub(in crate::e2e) subjects: BTreeSet<String>,
}

/// The connections of services, at each of so many servers.
///
/// # Errors
/// The client library's words.
pub(in crate::e2e) async fn services(
    harness: &Harness,
    servers: usize,
) -> Result<Vec<Connection>, async_nats::Error> {
    let client = harness.client().await?;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?.take(servers);
    let asked = json!({ "auth": true, "subscriptions": true, "limit": MOST }).to_string();
    client.publish_with_reply(ASK, inbox, asked.into()).await?;
    let mut all = Vec::new();
    while let Ok(Some(reply)) = tokio::time::timeout(LATE, replies.next()).await {
        let told: Value = serde_json::from_slice(&reply.payload)?;
        let connections = told["data"]["connections"].as_array();
        let of_services = connections.into_iter().flatten().filter(|connection| {
            let user = connection["authorized_user"].as_str().unwrap_or_default();
            Role::of_user(user) == Some(Role::Worker)
        });
        all.extend(of_services.map(|connection| {
            let subjects = connection["subscriptions_list"].as_array();
            let subjects = subjects.into_iter().flatten().filter_map(Value::as_str);
            Connection { subjects: subjects.map(str::to_owned).collect() }
        }));
    }
    Ok(all)
}
