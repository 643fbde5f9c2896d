//! The observations that prove a cluster ready: a replicated write, a leader, replicas that keep up.

use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::jetstream::stream::{Config, StorageType};
use futures_util::StreamExt;
use futures_util::future::{select_all, try_join_all};
use serde_json::{Value, json};

use super::error::ClusterError;
use crate::broker::lifecycle::Broker;
use crate::broker::ready::options;
use crate::broker::settings::Settings;
use crate::process::Lines;

/// How long the first question may take; the next twice as long, up to the last. A server that is not
/// (yet) the leader gives no answer at all, one that is answers within milliseconds.
const FIRST_QUESTION: Duration = Duration::from_millis(30);
const LAST_QUESTION: Duration = Duration::from_secs(2);
/// Between two questions. What they ask about (peers that are known, a group that has elected) is
/// told to nobody who could wait for it.
const PAUSE: Duration = Duration::from_millis(10);
/// How long nobody may say that it leads a stream, before the question is put again.
const FIRST_ANSWER: Duration = Duration::from_millis(500);
/// How much later than the first another node may say that it leads a stream.
const SECOND_ANSWER: Duration = Duration::from_millis(100);
/// JetStream's code for a stream that is not there.
const STREAM_NOT_FOUND: u64 = 10_059;

/// Waits until one of the nodes says in its log that the nodes have a leader.
pub(super) async fn leader_elected(
    nodes: &[&Broker],
    settings: &Settings,
) -> Result<(), ClusterError> {
    let said = select_all(nodes.iter().map(|node| Box::pin(says_a_leader(node.log_lines()))));
    let heard = tokio::time::timeout(settings.ready_timeout, said).await;
    let waiting_for = "waiting for a leader of the nodes".to_owned();
    heard.map(|_| ()).map_err(|_| not_ready(nodes, settings, waiting_for))
}

async fn says_a_leader(mut lines: Lines) {
    while let Some(line) = lines.next().await {
        if line.contains("JetStream cluster metadata leader")
            || line.contains("JetStream cluster new metadata leader")
        {
            return;
        }
    }
    // It has ended; perhaps the others can do without it.
    std::future::pending().await
}

/// Waits until a write to a new stream with a replica on each node is acknowledged.
pub(super) async fn write_acknowledged(
    nodes: &[&Broker],
    settings: &Settings,
) -> Result<(), ClusterError> {
    let name = format!("mono-demo-ready-{}", nuid::next());
    let config = Config {
        name: name.clone(),
        subjects: vec![name],
        storage: StorageType::Memory,
        num_replicas: nodes.len(),
        ..Config::default()
    };
    observe(nodes, settings, |jetstream| write(jetstream, &config)).await
}

async fn write(jetstream: Context, config: &Config) -> Result<(), String> {
    // Fine if it is there already: the answer to an earlier attempt came too late.
    jetstream
        .create_stream(config.clone())
        .await
        .map_err(|e| format!("creating a stream with a replica on each node ({e})"))?;
    let written = async { jetstream.publish(config.name.clone(), "".into()).await?.await };
    written.await.map_err(|e| format!("waiting for a write to be acknowledged ({e})"))?;
    let deleted = jetstream.delete_stream(&config.name).await;
    deleted.map(|_| ()).map_err(|e| format!("deleting a stream ({e})"))
}

/// Waits until each stream has a leader, and replicas that have caught up.
pub(super) async fn streams_current(
    nodes: &[&Broker],
    settings: &Settings,
) -> Result<(), ClusterError> {
    observe(nodes, settings, all_current).await
}

async fn all_current(jetstream: Context) -> Result<(), String> {
    let streams = listed(jetstream.clone()).await?;
    if let Some(behind) = streams.iter().find_map(behind) {
        return Err(behind);
    }
    // The list has one answer a stream. A node that was cut off, and has not heard yet that another was
    // elected, answers too, and finds all copies as far as its own.
    let replicated = streams.iter().filter(|stream| {
        stream["cluster"]["replicas"].as_array().is_some_and(|replicas| !replicas.is_empty())
    });
    let names = replicated.filter_map(|stream| stream["config"]["name"].as_str());
    try_join_all(names.map(|name| has_one_leader(&jetstream, name))).await.map(drop)
}

async fn has_one_leader(jetstream: &Context, stream: &str) -> Result<(), String> {
    match who_leads(jetstream, stream).await?.as_slice() {
        [_] => Ok(()),
        many => Err(format!("waiting for one leader of stream {stream}, not {}", many.len())),
    }
}

/// All streams, as those who lead them tell of them.
async fn listed(jetstream: Context) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    loop {
        let asked = json!({ "offset": all.len() });
        let page: Value = jetstream
            .request("STREAM.LIST", &asked)
            .await
            .map_err(|e| format!("listing the streams ({e})"))?;
        if let Some(missing) = page["missing"].as_array().filter(|m| !m.is_empty()) {
            return Err(format!("waiting for a leader of {}", Value::from(missing.clone())));
        }
        let streams = page["streams"].as_array().map_or(&[][..], Vec::as_slice);
        all.extend(streams.iter().cloned());
        if streams.is_empty() || all.len() as u64 >= page["total"].as_u64().unwrap_or(0) {
            return Ok(all);
        }
    }
}

/// The streams of which more than half of the copies are on the nodes `among` them.
pub(super) async fn streams_with_a_majority(
    nodes: &[&Broker],
    settings: &Settings,
    among: &[&Broker],
) -> Result<Vec<String>, ClusterError> {
    let streams = observe(nodes, settings, listed).await?;
    let has = |name: &Value| among.iter().any(|node| *name == node.name());
    let go_on = streams.iter().filter(|stream| {
        let cluster = &stream["cluster"];
        let replicas = cluster["replicas"].as_array().into_iter().flatten();
        let copies: Vec<&Value> =
            replicas.map(|replica| &replica["name"]).chain([&cluster["leader"]]).collect();
        2 * copies.iter().filter(|name| has(name)).count() > copies.len()
    });
    let names = go_on.filter_map(|stream| stream["config"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Waits until one of these nodes leads them all: what is asked of JetStream, it answers.
pub(super) async fn api_answers(
    nodes: &[&Broker],
    settings: &Settings,
) -> Result<(), ClusterError> {
    observe(nodes, settings, |jetstream| async move {
        let answer: Result<Value, _> = jetstream.request("STREAM.NAMES", &json!({})).await;
        answer.map(drop).map_err(|e| format!("waiting for a leader of the nodes ({e})"))
    })
    .await
}

/// What a stream still lacks.
fn behind(stream: &Value) -> Option<String> {
    let (name, cluster) = (&stream["config"]["name"], &stream["cluster"]);
    if cluster["leader"].as_str().unwrap_or_default().is_empty() {
        return Some(format!("waiting for a leader of stream {name}"));
    }
    let replicas = cluster["replicas"].as_array()?;
    let lagging = replicas.iter().find(|replica| replica["current"] != Value::Bool(true))?;
    Some(format!("waiting for stream {name} to be current on {}", lagging["name"]))
}

/// Waits until a stream has a leader; says which node that is.
pub(super) async fn leader(
    nodes: &[&Broker],
    settings: &Settings,
    stream: &str,
) -> Result<usize, ClusterError> {
    let found = observe(nodes, settings, |jetstream| async move {
        let answers = who_leads(&jetstream, stream).await?;
        if answers.iter().any(|info| info["error"]["err_code"] == STREAM_NOT_FOUND) {
            return Ok(None);
        }
        let since = |info: &&Value| info["cluster"]["leader_since"].as_str().map(str::to_owned);
        let newest = answers.iter().max_by_key(since);
        let name = newest.and_then(|info| info["cluster"]["leader"].as_str()).unwrap_or_default();
        // A node that has been killed may still be named by those who have not noticed.
        let leads = |node: &&Broker| node.name() == name && node.try_status().is_none();
        match nodes.iter().position(leads) {
            Some(index) => Ok(Some(index)),
            None => Err(format!("waiting for an election (the leader was `{name}`)")),
        }
    });
    match found.await {
        Ok(Some(index)) => Ok(index),
        Ok(None) => Err(ClusterError::NoStream { stream: stream.to_owned() }),
        Err(ClusterError::NotReady { after, waiting_for, .. }) => {
            Err(ClusterError::NoLeader { stream: stream.to_owned(), after, waiting_for })
        }
        Err(other) => Err(other),
    }
}

/// Everybody who believes to lead the stream answers: also a node that was paused and has not yet
/// heard that another was elected in the meantime.
async fn who_leads(jetstream: &Context, stream: &str) -> Result<Vec<Value>, String> {
    let problem = |e: &dyn std::fmt::Display| format!("asking for its leader ({e})");
    let client = jetstream.client();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|e| problem(&e))?;
    let subject = format!("$JS.API.STREAM.INFO.{stream}");
    client.publish_with_reply(subject, inbox, "".into()).await.map_err(|e| problem(&e))?;
    let first = tokio::time::timeout(FIRST_ANSWER, answers.next()).await;
    let first = first.ok().flatten().ok_or_else(|| problem(&"no answer"))?;
    let mut found = vec![first];
    // That there is no second answer cannot be observed.
    while let Ok(Some(more)) = tokio::time::timeout(SECOND_ANSWER, answers.next()).await {
        found.push(more);
    }
    let read = |message: async_nats::Message| serde_json::from_slice(&message.payload);
    found.into_iter().map(read).collect::<Result<_, _>>().map_err(|e| problem(&e))
}

/// Connects to any node and asks until the answer is `Ok`, at most the ready timeout.
async fn observe<T, F: Future<Output = Result<T, String>>>(
    nodes: &[&Broker],
    settings: &Settings,
    ask: impl Fn(Context) -> F,
) -> Result<T, ClusterError> {
    let mut waiting_for = "connecting to a node".to_owned();
    let logins = nodes.first().and_then(|node| node.logins());
    let asking = async {
        let client = loop {
            let up = nodes.iter().filter(|node| node.try_status().is_none());
            let urls = up.map(|node| node.url().to_owned()).collect::<Vec<_>>();
            match options(settings, logins).connect(urls).await {
                Ok(client) => break client,
                Err(e) => waiting_for = format!("connecting to a node ({e})"),
            }
            tokio::time::sleep(PAUSE).await;
        };
        let mut limit = FIRST_QUESTION;
        loop {
            let context = ContextBuilder::new().timeout(limit).ack_timeout(limit);
            limit = (limit * 2).min(LAST_QUESTION);
            match ask(context.build(client.clone())).await {
                Ok(answer) => return answer,
                Err(problem) => waiting_for = problem,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let answered = tokio::time::timeout(settings.ready_timeout, asking).await;
    answered.map_err(|_| not_ready(nodes, settings, waiting_for))
}

fn not_ready(nodes: &[&Broker], settings: &Settings, waiting_for: String) -> ClusterError {
    let tails = nodes.iter().map(|node| node.log_tail()).collect();
    ClusterError::NotReady { after: settings.ready_timeout, waiting_for, tails }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_behind_without_a_leader_or_with_a_replica_that_lags() {
        let stream = |leader: &str, current: bool| {
            json!({
                "config": { "name": "s" },
                "cluster": { "leader": leader, "replicas": [{ "name": "b", "current": current }] },
            })
        };
        assert_eq!(behind(&stream("a", true)), None);
        assert!(behind(&stream("", true)).is_some_and(|text| text.contains("leader")));
        assert!(behind(&stream("a", false)).is_some_and(|text| text.contains("current on \"b\"")));
    }
}
