//! Unreadable bytes, one case after the other: an error, and the next message is received on the
//! same connection. Python, Node and Go read the same rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mono_demo::e2e::driver::{Driver as _, RustDriver, hello};
use mono_demo::modules::math::{MathClient, Operation};
use mono_demo::wire::driver::{ErrorKind, Headers, Op, Outcome};
use serde::Deserialize;
use serde_json::json;

use crate::support::answers::{Answer, answers, counted_answers};
use crate::support::drivers::NoCalls;

#[derive(Deserialize)]
struct File {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    kind: String,
    /// What a reply without a body is.
    #[serde(default = "other")]
    empty: String,
    #[serde(default)]
    lenient: BTreeMap<String, String>,
    #[serde(flatten)]
    answer: Answer,
}

fn other() -> String {
    "other".to_owned()
}

impl Row {
    fn allows(&self, kind: &str) -> bool {
        let either = self.lenient.contains_key("rust") && ["ok", "other"].contains(&kind);
        self.kind == kind || either
    }
}

/// One byte for each character of the file.
fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/unreadable.json");
    let mut file: File = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for Answer { block, subject, reply, .. } in file.rows.iter_mut().map(|row| &mut row.answer) {
        for bytes in [block, subject, reply] {
            let text = String::from_utf8(std::mem::take(bytes)).unwrap();
            *bytes = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        }
    }
    assert!(file.rows.len() >= 60, "{}", file.rows.len());
    file.rows
}

fn with_body(answer: &Answer, body: &str) -> Answer {
    Answer { body: Some(body.to_owned()), ..answer.clone() }
}

fn good() -> Answer {
    let block = b"NATS/1.0\r\nX: a\r\n\r\n".to_vec();
    Answer { block, body: Some(r#"{"result":4}"#.to_owned()), ..Answer::default() }
}

/// What came of a request; the next one is answered on the same connection.
async fn asked(row: &Row, body: &str) -> String {
    let (url, connections) = counted_answers(vec![with_body(&row.answer, body), good()]).await;
    let math = MathClient::new(async_nats::connect(url).await.unwrap(), Duration::from_secs(20));
    let add = || math.result(Operation::Add, 1.0, Some(2.0));
    let first = add().await;
    assert_eq!(add().await.ok(), Some(4.0), "{}: the next one", row.name);
    assert_eq!(connections.load(Ordering::Relaxed), 1, "{}: connected again", row.name);
    match first {
        Ok(result) => assert_eq!(result, 3.0, "{}", row.name),
        Err(error) => {
            let kind = json!(error.kind()).as_str().unwrap().to_owned();
            assert_eq!(error.is_definite(), kind != "other", "{}: {error}", row.name);
            return kind;
        }
    }
    "ok".to_owned()
}

async fn driver(url: &str) -> RustDriver {
    let driver = RustDriver::new(Arc::new(NoCalls));
    hello(&driver, url, None, 1).await.unwrap();
    driver
}

/// The word of an outcome; one that is no error of the request is never definite.
fn told(row: &Row, outcome: Outcome) -> String {
    let Outcome::Err(error) = outcome else { return "ok".to_owned() };
    let kind = json!(error.kind).as_str().unwrap().to_owned();
    assert_eq!(error.definite, kind != "other", "{}: {error}", row.name);
    kind
}

#[tokio::test]
async fn a_reply_is_what_its_row_says_and_the_next_one_comes() {
    let mut wrong = Vec::new();
    let addressed = |row: &Row| !row.answer.subject.is_empty() || !row.answer.reply.is_empty();
    for row in rows().iter().filter(|row| !addressed(row)) {
        let kind = asked(row, r#"{"result":3}"#).await;
        if !row.allows(&kind) {
            wrong.push(format!("{}: {kind}", row.name));
        }
        let empty = asked(row, "").await;
        if empty != row.empty {
            wrong.push(format!("{}, with an empty body: {empty}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_raw_request_and_a_submit_are_not_definite_where_the_answer_cannot_be_read() {
    let mut wrong = Vec::new();
    let addressed = |row: &Row| !row.answer.subject.is_empty() || !row.answer.reply.is_empty();
    for row in rows().iter().filter(|row| !addressed(row)) {
        let ack = r#"{"stream":"s","seq":7}"#;
        let (subject, payload_base64, timeout_ms) = ("a".to_owned(), String::new(), 20_000);
        let (headers, body) = (Headers::new(), payload_base64.clone());
        let submit = Op::Submit {
            subject: subject.clone(),
            payload_base64,
            headers: headers.clone(),
            timeout_ms,
        };
        let request = Op::Request { subject, payload_base64: body, headers, timeout_ms };
        for (op, body) in [(&submit, ack), (&request, ack), (&request, "")] {
            let driver = driver(&answers(vec![with_body(&row.answer, body)]).await).await;
            let kind = told(row, driver.perform(op.clone()).await.unwrap());
            let nobody = body.is_empty() && row.empty == "no_responders";
            if kind != if nobody { row.empty.as_str() } else { row.kind.as_str() } {
                wrong.push(format!("{}, {op:?}: {kind}", row.name));
            }
            driver.close().await.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn no_message_of_a_subscription_costs_the_next_one() {
    let mut wrong = Vec::new();
    for row in rows() {
        let (url, connections) = counted_answers(vec![with_body(&row.answer, "{}"), good()]).await;
        let driver = driver(&url).await;
        let subscribe = Op::Subscribe { subject: "x.>".to_owned(), queue_group: None };
        let Outcome::Ok(value) = driver.perform(subscribe).await.unwrap() else { panic!() };
        let subscription = value["subscription"].as_u64().unwrap();
        let next = || driver.perform(Op::Next { subscription, timeout_ms: 20_000 });
        let kind = match next().await.unwrap() {
            Outcome::Err(error) if error.kind == ErrorKind::Other => {
                assert!(error.message.contains("cannot be read"), "{}", error.message);
                assert!(!error.definite, "{}", error.message);
                "other"
            }
            Outcome::Ok(_) => "ok",
            other => panic!("{}: {other:?}", row.name),
        };
        if !row.allows(kind) {
            wrong.push(format!("{}: {kind}", row.name));
        }
        let doctored = Row { kind: if row.kind == "ok" { "other" } else { "ok" }.into(), ..row };
        assert!(!doctored.allows(kind), "{}: a doctored row is not told", doctored.name);
        let Outcome::Ok(second) = next().await.unwrap() else { panic!("{}", doctored.name) };
        assert_eq!(second["headers"], json!({"X": ["a"]}), "{}", doctored.name);
        assert_eq!(connections.load(Ordering::Relaxed), 1, "{}: connected again", doctored.name);
        driver.close().await.unwrap();
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn an_acknowledgement_that_cannot_be_read_is_none() {
    let row = with_body(&rows()[0].answer, r#"{"stream":"s","seq":7}"#);
    let client = async_nats::connect(answers(vec![row]).await).await.unwrap();
    let payment = mono_demo::modules::payment::PaymentClient::new(client, Duration::from_secs(20));
    let submission = mono_demo::modules::payment::Submission {
        payment_id: "p",
        amount: "1",
        ..Default::default()
    };
    let error = payment.submit(&submission).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    assert!(!error.is_definite(), "{error}");
}
