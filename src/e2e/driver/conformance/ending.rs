//! Ends: of the input, and of patience.

use serde_json::json;

use super::bench::Bench;
use super::talk::{Complaint, Talk};
use crate::process::ExitStatus;
use crate::wire::driver::ErrorKind;

pub async fn bad_line(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    talk.line("this is not JSON").await?;
    let status = talk.ended().await?;
    if status.success() {
        return Err("it ended as if all was well".to_owned());
    }
    Ok(())
}

pub async fn end_of_input(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let _listens = bench.subscribe(&subject).await?;
    let fields = json!({ "subject": subject, "payload_base64": "", "timeout_ms": 300 });
    let in_hand = talk.send("request", fields).await?;
    talk.end_input();
    succeeded(talk.ended().await?)?;
    if talk.is_answered(in_hand) {
        Ok(())
    } else {
        Err(format!("command {in_hand} was in hand, and was never answered"))
    }
}

pub async fn cut_off(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    let fields = json!({ "subject": subject, "payload_base64": "", "timeout_ms": 600_000 });
    let in_hand = talk.send("request", fields).await?;
    bench.next(&mut ours).await?;
    talk.end_input();
    succeeded(talk.ended().await?)?;
    talk.failed("request", in_hand, ErrorKind::Connection, Some(false)).await
}

pub async fn drain(bench: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    const COUNT: usize = 100;
    talk.hello(bench.url()).await?;
    let subject = bench.subject();
    let mut ours = bench.subscribe(&subject).await?;
    for _ in 0..COUNT {
        talk.send("publish", json!({ "subject": subject, "payload_base64": "" })).await?;
    }
    talk.end_input();
    succeeded(talk.ended().await?)?;
    let mut arrived = 0;
    while bench.here(&mut ours).await?.is_some() {
        arrived += 1;
    }
    if arrived == COUNT {
        Ok(())
    } else {
        Err(format!("{COUNT} messages were published, and {arrived} arrived"))
    }
}

pub async fn no_input(_: &mut Bench, talk: &mut Talk) -> Result<(), Complaint> {
    talk.end_input();
    succeeded(talk.ended().await?)
}

fn succeeded(status: ExitStatus) -> Result<(), Complaint> {
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}, not with 0")) }
}
