//! How the typed clients read replies, and which errors a wait rides out: Python, Node and Go read
//! the same rows.

use std::time::Duration;

use mono_demo::modules::ClientError;
use mono_demo::modules::math::{MathClient, Operation};
use mono_demo::modules::payment::{PaymentClient, Status, Submission};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::answers::{Answer, answers};

#[derive(Deserialize)]
struct Rows<T> {
    rows: Vec<T>,
}

#[derive(Deserialize)]
struct Reply {
    ask: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Deserialize)]
struct Original {
    method: String,
    args: Vec<Value>,
    body: String,
}

#[derive(Deserialize)]
struct Wait {
    name: String,
    ends: Option<String>,
    #[serde(flatten)]
    answer: Answer,
}

fn rows<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice::<Rows<T>>(&std::fs::read(path).unwrap()).unwrap().rows
}

/// What the client makes of it, in the row's own words.
async fn outcome(row: &Reply) -> Value {
    let url = answers(vec![row.answer.clone()]).await;
    let client = async_nats::connect(url).await.unwrap();
    let limit = if row.answer.body.is_none() { 200 } else { 20_000 };
    let limit = Duration::from_millis(limit);
    let payment = PaymentClient::new(client.clone(), limit);
    let value = match row.ask.as_str() {
        "add" => {
            let math = MathClient::new(client, limit);
            math.result(Operation::Add, 1.0, Some(2.0)).await.map(|result| result.to_string())
        }
        "status" => payment.status("p").await.map(|reply| reply.status.as_str().to_owned()),
        "submit" => {
            let submission = Submission { payment_id: "p", amount: "1", ..Submission::default() };
            payment.submit(&submission).await.map(|ack| ack.sequence.to_string())
        }
        other => panic!("nobody asks {other}"),
    };
    value.map_or_else(|error| failure(&error), |value| json!({"kind": "ok", "value": value}))
}

fn failure(error: &ClientError) -> Value {
    let (code, message) = match error {
        ClientError::Service { code, message, .. } => (Some(code), message.clone()),
        other => (None, other.to_string()),
    };
    let definite = error.is_definite();
    json!({"kind": error.kind(), "definite": definite, "code": code, "message": message})
}

/// What a method of the math client makes of a body.
async fn returned(row: &Original) -> Value {
    let answer = Answer { body: Some(row.body.clone()), ..Answer::default() };
    let client = async_nats::connect(answers(vec![answer]).await).await.unwrap();
    let math = MathClient::new(client, Duration::from_secs(20));
    let number = |n: usize| row.args.get(n).and_then(Value::as_f64);
    let value = if row.method == "calculate" {
        let operation = row.args[0].as_str().unwrap();
        math.calculate(operation, number(1).unwrap(), number(2)).await.map(|reply| json!(reply))
    } else {
        let operation = Operation::parse(&row.method).unwrap();
        math.number(operation, number(0).unwrap(), number(1)).await.map(|result| json!(result))
    };
    value.map_or_else(|error| failure(&error), |value| json!({ "value": as_float(value) }))
}

/// 3 is 3.0.
fn as_float(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, as_float(v))).collect(),
        other => other,
    }
}

#[tokio::test]
async fn every_reply_of_the_original_server_is_what_its_row_says_and_a_doctored_row_is_told() {
    let rows: Vec<Value> = rows("original.json");
    assert!(rows.len() >= 70, "{}", rows.len());
    let mut wrong = Vec::new();
    for mut row in rows {
        let seen = returned(&Original::deserialize(&row).unwrap()).await;
        if let Some(value) = row.get_mut("value") {
            *value = as_float(value.take());
        }
        if !differing(&row, &seen).is_empty() {
            wrong.push(format!("{}: {seen}", row["name"]));
        }
        let mut doctored = row.clone();
        match row.get("kind") {
            Some(_) => doctored["kind"] = json!("timeout"),
            None => doctored["value"] = json!(99.0),
        }
        assert!(!differing(&doctored, &seen).is_empty(), "{row}");
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// The fields in which an outcome is not what its row says.
fn differing(row: &Value, seen: &Value) -> Vec<&'static str> {
    let mut fields = vec!["kind", "definite", "code", "message", "value"];
    fields.retain(|field| row.get(field).is_some_and(|wanted| seen.get(field) != Some(wanted)));
    if let Some(words) = row.get("says").and_then(Value::as_str)
        && !seen["message"].as_str().is_some_and(|message| message.contains(words))
    {
        fields.push("says");
    }
    fields
}

#[tokio::test]
async fn every_reply_is_what_its_row_says_and_a_doctored_row_is_told() {
    let rows: Vec<Value> = rows("error-kinds.json");
    assert!(rows.len() >= 50, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let reply = Reply::deserialize(&row).unwrap();
        let seen = outcome(&reply).await;
        let differing_fields = differing(&row, &seen);
        if !differing_fields.is_empty() {
            wrong.push(format!("{}: {differing_fields:?} in {seen}", row["name"]));
        }
        let mut doctored = row.clone();
        doctored["kind"] = json!("bad_input");
        assert!(differing(&doctored, &seen).contains(&"kind"), "{row}");
        if let Some(definite) = row.get("definite").and_then(Value::as_bool) {
            doctored["definite"] = json!(!definite);
            let told = differing(&doctored, &seen).contains(&"definite");
            assert!(told || differing_fields.contains(&"definite"), "{row}");
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_wait_rides_out_what_its_row_says_and_a_doctored_row_is_told() {
    let completed = r#"{"payment_id":"p","status":"completed"}"#;
    let completed = Answer { body: Some(completed.to_owned()), ..Answer::default() };
    let mut wrong = Vec::new();
    for row in rows::<Wait>("wait.json") {
        let url = answers(vec![row.answer, completed.clone()]).await;
        let client = async_nats::connect(url).await.unwrap();
        let payment = PaymentClient::new(client, Duration::from_secs(2));
        let waited = payment.wait("p", Duration::from_secs(20)).await;
        let ended = waited.map(|reply| assert_eq!(reply.status, Status::Completed)).err();
        let ended = ended.map(|error| (json!(error.kind()), error));
        let kind = ended.as_ref().map(|(kind, _)| kind.as_str().unwrap());
        if kind != row.ends.as_deref() {
            wrong.push(format!("{}: {ended:?}", row.name));
        }
        // The doctored row: what is ridden out ends, and the other way round.
        assert_ne!(kind, row.ends.map_or(Some("other"), |_| None), "{}", row.name);
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// The exit code of the program, asked the same.
async fn exit_code(row: &Reply) -> Option<i32> {
    let home = tempfile::tempdir().unwrap();
    let url = answers(vec![row.answer.clone()]).await;
    let timeout = if row.answer.body.is_none() { "300ms" } else { "20s" };
    let asks: &[&str] = match row.ask.as_str() {
        "add" => &["call", "math", "add", "1", "2"],
        "status" => &["call", "payment", "status", "p"],
        _ => &[
            "publish",
            "-J",
            "services.payment.payment-process",
            "--data",
            r#"{"payment_id":"p","amount":1}"#,
        ],
    };
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mono-demo"));
    command.args(["--server", &url, "--timeout", timeout]).args(asks);
    command.env_clear().env("HOME", home.path()).kill_on_drop(true);
    command.output().await.unwrap().status.code()
}

#[tokio::test]
async fn the_program_ends_with_the_code_that_the_row_says() {
    let mut wrong = Vec::new();
    for row in rows::<Value>("error-kinds.json") {
        let code = exit_code(&Reply::deserialize(&row).unwrap()).await;
        let wanted = row["exit"].as_i64();
        if code.map(i64::from) != wanted {
            wrong.push(format!("{}: {code:?}", row["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}
