//! How the Rust driver handles its input lines; Python, Node and Go read the same rows.

use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

#[derive(Deserialize)]
struct File {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    input: String,
    exit: i32,
    replies: Vec<String>,
}

fn told(line: &str) -> String {
    let reply: Value = serde_json::from_str(line).unwrap();
    let outcome = match (&reply["err"]["kind"], reply.get("skip")) {
        (Value::String(kind), _) => kind,
        (_, Some(_)) => "skip",
        _ => "ok",
    };
    format!("{} {outcome}", reply["id"])
}

#[tokio::test]
async fn the_driver_ends_and_answers_as_its_row_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/drivers.json");
    let file: File = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(file.rows.len() >= 25, "{}", file.rows.len());
    let home = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for mut row in file.rows {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mono-demo"));
        command.args(["driver", "rust"]).env("HOME", home.path()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(row.input.as_bytes()).await.unwrap();
        drop(stdin);
        let ended = child.wait_with_output().await.unwrap();
        let out = String::from_utf8(ended.stdout).unwrap();
        let mut replies: Vec<String> = out.lines().map(told).collect();
        replies.sort();
        row.replies.sort();
        if ended.status.code() != Some(row.exit) || replies != row.replies {
            wrong.push(format!("{}: {}, {replies:?}", row.name, ended.status));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}
