//! Hello, versions, ids: whether the driver speaks the protocol at all.

use serde_json::json;

use super::bench::{Bench, NOBODY};
use super::talk::{Complaint, Talk};
use crate::wire::driver::{ErrorKind, Hello, PROTOCOL_VERSION};

/// The largest whole number that every JSON library keeps exact: 2^53 - 1.
const LARGE_ID: u64 = 9_007_199_254_740_991;

pub async fn hello(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    let hello = talk.hello(bench.url()).await?;
    let hello: Hello = serde_json::from_value(hello)
        .map_err(|error| format!("`hello` was answered with something else: {error}"))?;
    if hello.name.is_empty() || hello.library.is_empty() {
        return Err("`name` and `library` must not be empty".to_owned());
    }
    Ok(())
}

pub async fn wrong_version(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    let fields = json!({ "protocol": PROTOCOL_VERSION + 98, "seed": 1, "url": bench.url() });
    talk.fails("hello", fields, ErrorKind::BadInput, Some(true)).await
}

pub async fn no_broker(_: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    // Port 1 is tcpmux: nobody listens there.
    let url = "nats://127.0.0.1:1";
    let fields = json!({ "protocol": PROTOCOL_VERSION, "seed": 1, "url": url });
    talk.fails("hello", fields, ErrorKind::Connection, Some(true)).await
}

pub async fn credentials(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    let fields = json!({
        "protocol": PROTOCOL_VERSION, "seed": 1, "url": bench.url(),
        "user": bench.login().user, "password": "not this one",
    });
    talk.fails("hello", fields, ErrorKind::Permissions, Some(true)).await
}

pub async fn hello_first(_: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    let fields = json!({ "subject": NOBODY, "payload_base64": "", "timeout_ms": 1000 });
    talk.fails("request", fields, ErrorKind::BadInput, Some(true)).await
}

pub async fn unknown_op(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    for _ in 0..2 {
        skipped(talk, "levitate", json!({})).await?;
    }
    Ok(())
}

pub async fn unknown_method(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let fields = json!({ "method": "nobody.has_this", "args": [], "timeout_ms": 1000 });
    skipped(talk, "call", fields).await
}

pub async fn ids(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    for id in [0, 1_000_000, LARGE_ID] {
        talk.send_as(id, "levitate", json!({})).await?;
    }
    for id in [LARGE_ID, 0, 1_000_000] {
        talk.reply(id).await?;
    }
    Ok(())
}

async fn skipped(talk: &mut Talk, op: &str, fields: serde_json::Value) -> Result<(), Complaint> {
    let reply = talk.ask(op, fields).await?;
    match reply["skip"].as_str() {
        Some(reason) if !reason.is_empty() => Ok(()),
        Some(_) => Err("`skip` has no reason".to_owned()),
        None => Err(format!("`{op}` was not answered with `skip`")),
    }
}
