//! What there is where a service is not seen to be ready: whoever has named the wrong sign reads the
//! right one.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use super::asked::Asked;
use super::connected;
use crate::counted::counted;
use crate::e2e::scenario::ast::service::Ready;

/// So many names are shown.
const SHOWN: usize = 8;
/// Who answers a ping does so at once.
const ANSWERS: Duration = Duration::from_millis(500);

/// What is seen instead, if that says anything.
pub(super) async fn seen(ready: &Ready, broker: &Asked<'_>) -> Option<String> {
    match ready {
        // What a page says instead is known from the last time that it was asked.
        Ready::Line(_) | Ready::Consumer(_) | Ready::Http(_) => None,
        Ready::Service(_) => {
            let names = services(broker).await.ok()?;
            let seen = listed(
                "no service answers $SRV.PING",
                "of services, $SRV.PING is answered by",
                &names,
            );
            let connected = connected::services(broker.harness, broker.servers).await;
            let connected = connected.map_or(0, |all| all.len());
            // One that is no service of NATS's micro framework never answers there.
            let plain = match connected {
                0 => String::new(),
                _ if !names.is_empty() => String::new(),
                many => format!(
                    ", and there are {}: one that is no service of NATS is ready = {{ subscribes = \
                     \"SUBJECT\" }}, or {{ connected = 1 }}",
                    counted(many, "connection")
                ),
            };
            Some(seen + &plain)
        }
        Ready::Connected(_) => {
            let all = connected::services(broker.harness, broker.servers).await.ok()?;
            Some(format!("there are {}", counted(all.len(), "connection")))
        }
        Ready::Subject(_) | Ready::Subscribes(_) => {
            let all = connected::services(broker.harness, broker.servers).await.ok()?;
            let subjects = all.iter().flat_map(|one| &one.subscriptions);
            // Where its own replies come, and what belongs to NATS.
            let own = |subject: &&String| !subject.starts_with(['_', '$']);
            let subjects = subjects.map(|one| &one.subject).filter(own).cloned().collect();
            let nobody = match all.len() {
                0 => "no service is connected",
                _ => "the services that are connected subscribe to nothing",
            };
            Some(listed(nobody, "what services subscribe to is", &subjects))
        }
    }
}

fn listed(none: &str, some: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    let shown: Vec<&str> = names.iter().map(String::as_str).take(SHOWN).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{some} {}{more}", shown.join(", "))
}

/// The names of the services that answer.
async fn services(broker: &Asked<'_>) -> Result<BTreeSet<String>, async_nats::Error> {
    let client = broker.harness.client().await?;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?;
    client.publish_with_reply("$SRV.PING", inbox, "".into()).await?;
    let mut names = BTreeSet::new();
    while let Ok(Some(reply)) = tokio::time::timeout(ANSWERS, replies.next()).await {
        let reply: Value = serde_json::from_slice(&reply.payload).unwrap_or_default();
        names.extend(reply["name"].as_str().map(str::to_owned));
    }
    Ok(names)
}
