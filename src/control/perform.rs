//! Which operation is done by whom.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::refused::failed;
use super::world::World;
use super::{brokers, faults, history, looked_at, services, stop, streams};
use crate::wire::control::{ControlError, Op};

/// Does it; an error names the operation.
pub(super) async fn perform(world: &Arc<World>, op: Op) -> Result<Value, ControlError> {
    let (word, done) = match op {
        // It begins a session, and is answered there.
        Op::Hello { .. } => return Err(failed("hello: the session has begun")),
        Op::BrokerStart { name, settings } => {
            ("broker.start", brokers::start(world, name, settings).await.and_then(json_of))
        }
        Op::ClusterStart { name, nodes, partitions, settings } => {
            let started = brokers::start_cluster(world, name, nodes, partitions, settings).await;
            ("cluster.start", started.and_then(json_of))
        }
        Op::AccountCreate { of, name } => {
            ("account.create", brokers::create_account(world, &of, name).await.and_then(json_of))
        }
        Op::StreamCreate { of, config } => {
            ("stream.create", streams::create(world, &of, config).await)
        }
        Op::KvCreate { of, bucket, history, ttl_ms, replicas } => {
            let made = streams::create_bucket(world, &of, bucket, history, ttl_ms, replicas).await;
            ("kv.create", made.map(|()| json!({})))
        }
        Op::ServiceStart { name, run, of, env, cwd, ready, ready_within_ms, stop_within_ms } => {
            let limits = (ready_within_ms, stop_within_ms);
            let wanted = services::Wanted { run, of, env, cwd, ready, limits };
            ("service.start", services::start(world, name, wanted).await.and_then(json_of))
        }
        Op::ProxyStart { name, of, port, seed } => {
            let started = brokers::start_proxy(world, name, &of, port, seed).await;
            ("proxy.start", started.and_then(json_of))
        }
        Op::Fault { of, fault } => {
            ("fault", faults::inject(world, &of, fault).await.and_then(json_of))
        }
        Op::HistoryBegin { name, of, promises, dir } => {
            let begun = history::begin(world, name, &of, &promises, dir).await;
            ("history.begin", begun.and_then(json_of))
        }
        Op::HistoryInvoke { of, verb, subject, payload_base64, headers, client } => {
            let begun = history::Begun { verb, subject, payload_base64, headers, client };
            ("history.invoke", history::invoke(world, &of, begun).and_then(json_of))
        }
        Op::HistoryEnd { of, operation, outcome, sequence, duplicate, reason } => {
            let ended = history::Ended { outcome, sequence, duplicate, reason };
            let ended = history::end(world, &of, operation, ended);
            ("history.end", ended.map(|()| json!({})))
        }
        Op::HistoryJudge { of, into } => {
            let judged = history::judge(world, &of, into.as_deref()).await;
            ("history.judge", judged.and_then(json_of))
        }
        Op::Logs { of } => ("logs", looked_at::logs(world, of.as_deref()).await.and_then(json_of)),
        Op::Leaks { of } => ("leaks", looked_at::leaks(world, &of).await.and_then(json_of)),
        Op::Status {} => ("status", json_of(looked_at::status(world).await)),
        Op::Keep { of, into } => {
            ("keep", looked_at::keep(world, &of, &into).await.map(|()| json!({})))
        }
        Op::Stop { of } => ("stop", stop::stop(world, of.as_deref()).await.and_then(json_of)),
    };
    done.map_err(|error| ControlError { message: format!("{word}: {}", error.message), ..error })
}

fn json_of(value: impl Serialize) -> Result<Value, ControlError> {
    serde_json::to_value(value).map_err(failed)
}
