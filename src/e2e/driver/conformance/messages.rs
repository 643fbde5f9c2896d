//! Messages: barriers, bytes, headers, order.

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::bench::{Bench, STORED, STREAM};
use super::talk::{Complaint, SOON, Talk};
use crate::e2e::driver::raw;
use crate::e2e::record::seen::{base64, from_base64};
use crate::wire::driver::{Ack, ErrorKind, Message};
use crate::wire::headers::MSG_ID;

/// How often a race is tried that a driver without a barrier would lose now and then.
const TRIES: usize = 20;

pub async fn subscribe(
    talk: &mut Talk,
    subject: &str,
    queue_group: Option<&str>,
) -> Result<u64, Complaint> {
    let fields = json!({ "subject": subject, "queue_group": queue_group });
    let ok = talk.ok("subscribe", fields).await?;
    let number = ok["subscription"].as_u64();
    number.ok_or_else(|| "`subscribe` returns `{\"subscription\": n}`".to_owned())
}

pub async fn next(talk: &mut Talk, subscription: u64) -> Result<Message, Complaint> {
    let fields = json!({ "subscription": subscription, "timeout_ms": 5000 });
    message(talk.ok("next", fields).await?)
}

pub async fn publish(talk: &mut Talk, subject: &str, payload: &[u8]) -> Result<(), Complaint> {
    let fields = json!({ "subject": subject, "payload_base64": base64(payload) });
    talk.ok("publish", fields).await.map(drop)
}

pub async fn side_by_side(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let subscription = subscribe(talk, &subject, None).await?;
    let fields = json!({ "subscription": subscription, "timeout_ms": 9000 });
    let waiting = talk.send("next", fields).await?;
    // Only this publish ends the wait: a driver that does one thing at a time cannot get to it.
    publish(talk, &subject, b"at last").await?;
    let reply = talk.reply(waiting).await?;
    let got = message(reply["ok"].clone())?;
    same("the body", &from_base64(&got.payload_base64), b"at last")
}

pub async fn subscribe_barrier(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    for _ in 0..TRIES {
        let subject = bench.subject();
        let subscription = subscribe(talk, &subject, None).await?;
        bench.publish(&subject, HeaderMap::new(), b"x").await?;
        next(talk, subscription).await.map_err(|complaint| {
            format!("what was published when `subscribe` was answered did not come: {complaint}")
        })?;
    }
    Ok(())
}

pub async fn publish_barrier(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    for _ in 0..TRIES {
        publish(talk, &subject, b"x").await?;
        if bench.here(&mut ours).await?.is_none() {
            return Err("`publish` was answered, and the broker did not have it".to_owned());
        }
    }
    Ok(())
}

pub async fn bytes(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    let subscription = subscribe(talk, &subject, None).await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    for payload in [&every_byte[..], b"", b"\r\n", "\u{2028}".as_bytes()] {
        publish(talk, &subject, payload).await?;
        let got = ours_next(&mut ours).await?;
        same("the body that arrived at the broker", &got.payload, payload)?;
        let got = next(talk, subscription).await?;
        same("the body that `next` returned", &from_base64(&got.payload_base64), payload)?;
        same("the subject", got.subject.as_bytes(), subject.as_bytes())?;
    }
    Ok(())
}

pub async fn headers(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    let out = json!({ "x-Mixed-cASE": ["grüße; a=b: c"], "Several": ["1", "2"] });
    let fields = json!({ "subject": subject, "payload_base64": "", "headers": out });
    talk.ok("publish", fields).await?;
    let got = ours_next(&mut ours).await?;
    let arrived = json!(raw::wire_headers(got.headers.as_ref()));
    if arrived != out {
        return Err(format!("at the broker, its headers are {arrived}"));
    }
    // One value a name: some client libraries keep no more of what comes in.
    let subscription = subscribe(talk, &subject, None).await?;
    let mut map = HeaderMap::new();
    map.insert("x-Mixed-cASE", "grüße; a=b: c");
    bench.publish(&subject, map, b"").await?;
    let got = json!(next(talk, subscription).await?.headers);
    if got != json!({ "x-Mixed-cASE": ["grüße; a=b: c"] }) {
        return Err(format!("`next` returned the headers {got}"));
    }
    Ok(())
}

pub async fn order(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let subscription = subscribe(talk, &subject, None).await?;
    for n in 0..50_u8 {
        bench.publish(&subject, HeaderMap::new(), &[n]).await?;
    }
    for n in 0..50_u8 {
        let got = next(talk, subscription).await?;
        same("the body of the next message", &from_base64(&got.payload_base64), &[n])?;
    }
    Ok(())
}

pub async fn queue_group(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let one = subscribe(talk, &subject, Some("workers")).await?;
    let other = subscribe(talk, &subject, Some("workers")).await?;
    bench.publish(&subject, HeaderMap::new(), b"x").await?;
    let mut got = 0;
    for subscription in [one, other] {
        let fields = json!({ "subscription": subscription, "timeout_ms": 300 });
        got += u32::from(talk.ask("next", fields).await?.get("ok").is_some());
    }
    if got == 1 { Ok(()) } else { Err(format!("{got} subscriptions of the group got it")) }
}

pub async fn unsubscribe(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let subscription = subscribe(talk, &subject, None).await?;
    talk.ok("unsubscribe", json!({ "subscription": subscription })).await?;
    let fields = json!({ "subscription": subscription, "timeout_ms": 100 });
    talk.fails("next", fields, ErrorKind::BadInput, Some(true)).await
}

pub async fn request(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    let fields =
        json!({ "subject": subject, "payload_base64": base64(b"ask"), "timeout_ms": 5000 });
    let asked = talk.send("request", fields).await?;
    let question = ours_next(&mut ours).await?;
    let reply_to = question.reply.ok_or("its request has no reply subject")?;
    let mut map = HeaderMap::new();
    map.insert("Mono-Error", "true");
    bench.publish(&reply_to, map, b"not JSON").await?;
    // Raw is raw: an error of a service is a reply too.
    let reply = talk.reply(asked).await?;
    let got = message(reply["ok"].clone())?;
    same("the reply's body", &from_base64(&got.payload_base64), b"not JSON")?;
    if got.headers.get("Mono-Error").is_none_or(|values| values != &["true"]) {
        return Err("the reply's header `Mono-Error` was lost".to_owned());
    }
    Ok(())
}

pub async fn submit(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let fields = json!({
        "subject": STORED,
        "payload_base64": base64(b"x"),
        "headers": { MSG_ID: [format!("id-{}", bench.subject())] },
        "timeout_ms": 5000,
    });
    let mut sequences = Vec::new();
    for duplicate in [false, true] {
        let ok = talk.ok("submit", fields.clone()).await?;
        let ack: Ack = serde_json::from_value(ok)
            .map_err(|error| format!("this is no acknowledgement: {error}"))?;
        if ack.stream != STREAM || ack.duplicate != duplicate {
            return Err(format!("the stream is `{STREAM}`, and `duplicate` is {duplicate}"));
        }
        sequences.push(ack.sequence);
    }
    if sequences[0] == sequences[1] {
        Ok(())
    } else {
        Err("a duplicate has the sequence of the first".to_owned())
    }
}

fn message(ok: Value) -> Result<Message, Complaint> {
    serde_json::from_value(ok).map_err(|error| format!("this is no message: {error}"))
}

async fn ours_next(ours: &mut async_nats::Subscriber) -> Result<async_nats::Message, Complaint> {
    match tokio::time::timeout(SOON, ours.next()).await {
        Ok(Some(message)) => Ok(message),
        _ => Err(format!("nothing arrived at the broker within {SOON:?}")),
    }
}

fn same(what: &str, got: &[u8], wanted: &[u8]) -> Result<(), Complaint> {
    if got == wanted {
        return Ok(());
    }
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    Err(format!("{what} is {:?} in place of {:?}", shown(got), shown(wanted)))
}
