//! Failures: each has its kind, and says whether it certainly did not happen.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::bench::{Bench, FORBIDDEN, MAX_PAYLOAD, NOBODY};
use super::messages::{next, publish, subscribe};
use super::talk::{Complaint, SOON, Talk};
use crate::e2e::record::seen::base64;
use crate::wire::driver::ErrorKind;

pub async fn no_responders(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let fields = json!({ "subject": NOBODY, "payload_base64": "", "timeout_ms": 9000 });
    talk.fails("request", fields, ErrorKind::NoResponders, Some(true)).await
}

pub async fn timeout(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let _listens = bench.subscribe(&subject).await?;
    let fields = json!({ "subject": subject, "payload_base64": "", "timeout_ms": 400 });
    let began = Instant::now();
    talk.fails("request", fields, ErrorKind::Timeout, Some(false)).await?;
    about(began.elapsed(), Duration::from_millis(400))
}

pub async fn next_timeout(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let subscription = subscribe(talk, &subject, None).await?;
    let fields = json!({ "subscription": subscription, "timeout_ms": 400 });
    let began = Instant::now();
    talk.fails("next", fields, ErrorKind::Timeout, None).await?;
    about(began.elapsed(), Duration::from_millis(400))?;
    // One that comes later is still there to be taken.
    bench.publish(&subject, async_nats::HeaderMap::new(), b"late").await?;
    next(talk, subscription).await.map(drop)
}

pub async fn no_time(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    for op in ["request", "submit", "next"] {
        if !talk.capabilities.iter().any(|claimed| claimed == op) {
            continue;
        }
        let mut fields = match op {
            "next" => json!({ "subscription": subscribe(talk, &subject, None).await? }),
            _ => json!({ "subject": subject, "payload_base64": "" }),
        };
        fields["timeout_ms"] = json!(0);
        talk.fails(op, fields, ErrorKind::BadInput, Some(true)).await?;
    }
    match bench.here(&mut ours).await? {
        None => Ok(()),
        Some(_) => Err("it was refused, and sent all the same".to_owned()),
    }
}

pub async fn no_stream(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let fields = json!({ "subject": NOBODY, "payload_base64": "", "timeout_ms": 5000 });
    talk.fails("submit", fields, ErrorKind::NoStream, Some(true)).await
}

pub async fn max_payload(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let large = base64(&vec![b'x'; MAX_PAYLOAD + 1]);
    for op in ["publish", "request", "submit"] {
        if !talk.capabilities.iter().any(|claimed| claimed == op) {
            continue;
        }
        let mut fields = json!({ "subject": subject, "payload_base64": large });
        if op != "publish" {
            fields["timeout_ms"] = json!(5000);
        }
        talk.fails(op, fields, ErrorKind::MaxPayload, Some(true)).await?;
    }
    publish(talk, &subject, &vec![b'x'; MAX_PAYLOAD])
        .await
        .map_err(|complaint| format!("after that, what is just not too large: {complaint}"))
}

pub async fn refused(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    // Far longer than an answer is waited for: it is to come at once.
    let message =
        |subject: &str| json!({ "subject": subject, "payload_base64": "", "timeout_ms": 60_000 });
    for op in ["publish", "request", "submit", "subscribe"] {
        if !talk.capabilities.iter().any(|claimed| claimed == op) {
            continue;
        }
        // Several at once, each about its own subject.
        let mut asked = Vec::new();
        for n in 0..8 {
            asked.push(talk.send(op, message(&format!("{FORBIDDEN}.{op}.{n}"))).await?);
        }
        for id in asked {
            talk.failed(op, id, ErrorKind::Permissions, Some(true)).await?;
        }
    }
    let subject = bench.subject();
    publish(talk, &subject, b"").await.map_err(|complaint| format!("after that: {complaint}"))
}

pub async fn bad_subject(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    for subject in ["", "a b", "a..b", ".a", "a.", "a.>", "a.*", "a\r\nPUB b 0"] {
        let fields = json!({ "subject": subject, "payload_base64": "" });
        talk.fails("publish", fields, ErrorKind::BadInput, Some(true))
            .await
            .map_err(|complaint| format!("subject {subject:?}: {complaint}"))?;
    }
    let subject = bench.subject();
    publish(talk, &subject, b"").await.map_err(|complaint| format!("after that: {complaint}"))
}

pub async fn reconnect(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let subscription = subscribe(talk, &subject, None).await?;
    for _ in 0..2 {
        bench.kill_and_restart().await?;
        // Whether the first attempt meets the dead connection is nobody's fault.
        let began = Instant::now();
        while let Err(complaint) = publish(talk, &subject, b"again").await {
            if began.elapsed() > SOON {
                return Err(format!("after the broker's restart: {complaint}"));
            }
        }
        next(talk, subscription).await.map_err(|complaint| {
            format!("a subscription did not outlast the broker's restart: {complaint}")
        })?;
    }
    Ok(())
}

/// Neither early nor much too late.
fn about(took: Duration, wanted: Duration) -> Result<(), Complaint> {
    let late = wanted + Duration::from_secs(3);
    if took + Duration::from_millis(50) >= wanted && took <= late {
        return Ok(());
    }
    Err(format!("it took {took:.1?} for a timeout of {wanted:?}"))
}
