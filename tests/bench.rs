//! `mono-demo bench`: the form of its report, and that it is red where what it measures does wrong. No
//! figure is held: what else the machine does decides them.

use std::process::Stdio;
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt as _;
use mono_demo::bench::{Asking, BenchError, COUNT, ECHO, Peer, by_request, by_slots, count_of};
use mono_demo::broker::{Broker, Settings};
use serde_json::Value;

use crate::support::program::Home;
use crate::support::{eventually, nats_server, reaper};

const LIMIT: Duration = Duration::from_secs(60);

/// The rows of each section, as they are in the report.
fn rows(args: &[&str]) -> Vec<(String, Vec<Value>)> {
    let home = Home::new();
    let args = [&["bench", "--quick", "--rounds", "1", "--json"], args].concat();
    let said = home.run(&args).ok();
    assert_eq!(home.processes(), [0; 0]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["ok"], true);
    let bench = &report["bench"];
    assert_eq!(bench["problems"], Value::Array(Vec::new()));
    assert_eq!((&bench["rounds"], &bench["quick"]), (&1.into(), &true.into()));
    let sections = bench["sections"].as_array().unwrap().iter();
    let name = |section: &Value| section["name"].as_str().unwrap().to_owned();
    sections.map(|section| (name(section), section["rows"].as_array().unwrap().clone())).collect()
}

/// Each row has a sentence, and a ratio to a floor; but those of these units have none.
#[track_caller]
fn well_formed(sections: &[(String, Vec<Value>)], names: &[&str], count: usize) {
    assert_eq!(sections.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    let rows: Vec<&Value> = sections.iter().flat_map(|(_, rows)| rows).collect();
    assert_eq!(rows.len(), count, "{rows:#?}");
    for row in rows {
        let positive = |number: &Value| number["median"].as_f64().is_some_and(|n| n > 0.0);
        assert!(row["timed"].as_str().is_some_and(|text| text.len() > 20), "{row}");
        if row["unit"] == "%" {
            assert!(row["floor"].is_null(), "{row}");
            continue;
        }
        assert_eq!(row["lost"], 0, "{row}");
        // What a few payments take of memory may be nothing, and no floor takes any for them.
        if row["what"].as_str().is_some_and(|what| what.starts_with("serve, for ")) {
            continue;
        }
        assert!(row["floor"]["name"].is_string(), "{row}");
        assert!(positive(&row["figure"]) && positive(&row["ratio"]), "{row}");
    }
}

#[test]
fn whole_processes_are_timed() {
    well_formed(&rows(&["start", "stop", "oneshot"]), &["start", "stop", "oneshot"], 5);
}

#[test]
fn requests_and_emails_are_answered_and_handled() {
    well_formed(&rows(&["request", "emails"]), &["request", "emails"], 7);
}

#[test]
fn payments_are_in_the_ledger_and_their_status_is_told() {
    well_formed(&rows(&["payments", "status"]), &["payments", "status"], 9);
    well_formed(&rows(&["payments", "--sync", "always"]), &["payments"], 3);
}

#[test]
fn memory_and_audits_are_measured() {
    well_formed(&rows(&["memory", "audit", "growth"]), &["memory", "audit", "growth"], 10);
}

#[test]
fn service_processes_share_the_work() {
    well_formed(&rows(&["processes"]), &["processes"], 8);
}

#[test]
fn a_bench_that_is_killed_leaves_nothing() {
    let home = Home::new();
    let mut bench = home.command(["bench", "start", "stop", "--rounds", "1000"]);
    let mut bench = bench.stderr(Stdio::null()).spawn().unwrap();
    // Only what runs below it is seen from here.
    eventually("a broker runs", LIMIT, || !home.brokers().is_empty());
    bench.kill().unwrap();
    bench.wait().unwrap();
    eventually("all has ended", LIMIT, || home.processes().is_empty());
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().flatten().collect();
    let left =
        left.iter().filter(|entry| entry.file_name().to_string_lossy().contains("mono-demo-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn bad_input_is_refused() {
    let home = Home::new();
    home.run(&["bench", "nonsense"]).failed(2, "invalid value 'nonsense' for '[SECTION]...'");
    home.run(&["bench", "--rounds", "0"]).failed(2, "expected a whole number from 1 to 1000");
    home.run(&["bench", "--sync", "sometimes"]).failed(2, "[possible values: never, always]");
    home.run(&["bench", "-s", "nats://127.0.0.1:1"]).failed(2, "--server does nothing here");
    home.run(&["bench", "--peer", "ask"]).failed(2, "name a server with --server");
}

#[test]
fn services_that_break_a_promise_fail_the_bench() {
    for (sabotage, section, evidence) in [
        ("drop", "payments", "acknowledged, the ledger has"),
        ("duplicate", "payments", "PROBLEM  payments: "),
        ("email-twice", "emails", "was handed over twice"),
        ("tell-amount", "status", "wrong answer of `services.payment.status`"),
    ] {
        let home = Home::new();
        let args = ["bench", "--quick", "--rounds", "1", "--sabotage", sabotage, section];
        let said = home.run(&args).failed(1, "");
        assert!(said.stdout.contains(evidence), "{sabotage}: {}", said.stdout);
        assert!(said.stdout.contains("PROBLEM  "), "{sabotage}: {}", said.stdout);
        assert_eq!(home.processes(), [0; 0], "{sabotage}");
    }
}

/// Answers with the same, whatever it is asked; or nothing.
async fn answering(client: &Client, subject: &'static str, answers: &'static [&'static str]) {
    let mut asked = client.subscribe(subject).await.unwrap();
    client.flush().await.unwrap();
    let client = client.clone();
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            for answer in answers {
                let reply = message.reply.clone().unwrap();
                client.publish(reply, (*answer).into()).await.unwrap();
            }
        }
    });
}

fn asking(subject: &str) -> Asking<'_> {
    Asking {
        subject,
        count: 50,
        in_flight: 4,
        body: &|number| number.to_string().into(),
        is_right: &|number, answer| number.to_string().as_bytes() == answer,
    }
}

#[tokio::test]
async fn a_wrong_answer_or_a_second_one_is_found_and_silence_is_counted() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let client = async_nats::ConnectOptions::new();
    let client = client.request_timeout(Some(Duration::from_millis(300)));
    let client = client.connect(broker.url()).await.unwrap();
    answering(&client, "wrong", &["7"]).await;
    answering(&client, "silent", &[]).await;
    let peer = Peer::start(broker.url()).await.unwrap();
    tokio::spawn(peer.serve());

    for took in [by_request(&client, asking(ECHO)).await, by_slots(&client, asking(ECHO)).await] {
        let took = took.unwrap();
        assert_eq!((took.answered, took.lost), (50, 0));
        assert!(took.rate() > 0.0 && took.each.quantile(1.0) <= took.whole);
    }
    for wrong in
        [by_request(&client, asking("wrong")).await, by_slots(&client, asking("wrong")).await]
    {
        let error = wrong.unwrap_err();
        assert!(matches!(error, BenchError::Wrong(_)), "{error}");
        assert!(error.to_string().starts_with("wrong answer of `wrong`: asked "), "{error}");
    }
    for nobody in
        [by_request(&client, asking("nobody")).await, by_slots(&client, asking("nobody")).await]
    {
        let error = nobody.unwrap_err().to_string();
        assert!(error.starts_with("request `nobody`: no responders"), "{error}");
    }
    let silent = Asking { count: 4, ..asking("silent") };
    let took = by_request(&client, silent).await.unwrap();
    assert_eq!((took.answered, took.lost), (0, 4));

    // The second answer to one request is the wrong one to the next on its reply subject.
    let mut asked = client.subscribe("twice").await.unwrap();
    let echo = client.clone();
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            for _ in 0..2 {
                let (reply, body) = (message.reply.clone().unwrap(), message.payload.clone());
                echo.publish(reply, body).await.unwrap();
            }
        }
    });
    let error = by_slots(&client, asking("twice")).await.unwrap_err();
    assert!(matches!(error, BenchError::Wrong(_)), "{error}");

    for _ in 0..3 {
        client.publish(COUNT, "".into()).await.unwrap();
    }
    assert_eq!(count_of(&client).await.unwrap(), 3);
    assert_eq!(count_of(&client).await.unwrap(), 0, "since the last time");
    broker.stop().await.unwrap();
}
