//! Who is connected in a role, and listens to what, as the broker itself says.

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

/// A connection of somebody in that role.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Connection {
    /// As it called itself; empty if it did not.
    pub(in crate::e2e) name: String,
    /// What it listens to.
    pub(in crate::e2e) subscriptions: Vec<Subscription>,
}

/// A subscription.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Subscription {
    /// May have wildcards.
    pub(in crate::e2e) subject: String,
    /// Its queue group, of which one member gets each message.
    pub(in crate::e2e) queue: Option<String>,
}

/// The connections of services to each of so many servers.
///
/// # Errors
/// As [`in_role`].
pub(in crate::e2e) async fn services(
    harness: &Harness,
    servers: usize,
) -> Result<Vec<Connection>, async_nats::Error> {
    in_role(Role::Worker, &harness.client().await?, servers).await
}

/// The connections in a role to each of so many servers, in the account of the one who asks.
///
/// # Errors
/// The client library's words, or that no server answered.
pub(in crate::e2e) async fn in_role(
    role: Role,
    client: &async_nats::Client,
    servers: usize,
) -> Result<Vec<Connection>, async_nats::Error> {
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?.take(servers);
    let asked = json!({ "auth": true, "subscriptions_detail": true, "limit": MOST }).to_string();
    client.publish_with_reply(ASK, inbox, asked.into()).await?;
    let (mut all, mut answers) = (Vec::new(), 0);
    while let Ok(Some(reply)) = tokio::time::timeout(LATE, replies.next()).await {
        answers += 1;
        let told: Value = serde_json::from_slice(&reply.payload)?;
        let connections = told["data"]["connections"].as_array();
        let of_role = connections.into_iter().flatten().filter(|connection| {
            let user = connection["authorized_user"].as_str().unwrap_or_default();
            Role::of_user(user) == Some(role)
        });
        all.extend(of_role.map(|connection| {
            let all = connection["subscriptions_list_detail"].as_array().into_iter().flatten();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let subscription = |told: &Value| {
                let (subject, queue) = (text(&told["subject"])?, text(&told["qgroup"]));
                Some(Subscription { subject, queue: queue.filter(|queue| !queue.is_empty()) })
            };
            Connection {
                name: text(&connection["name"]).unwrap_or_default(),
                subscriptions: all.filter_map(subscription).collect(),
            }
        }));
    }
    match answers {
        0 => Err(format!("no server said within {LATE:?} who is connected").into()),
        _ => Ok(all),
    }
}
