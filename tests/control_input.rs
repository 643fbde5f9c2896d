//! Bad input to `mono-demo control`: each is told with its operation and field, and the session goes on.

use serde_json::{Value, json};

use crate::support::program::Home;
use crate::support::talk::{Talk, text};

#[test]
fn what_is_wrong_is_told_and_the_session_goes_on() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    talk.ok("proxy.start", json!({ "of": "broker-1" }));
    talk.ok("service.start", json!({ "run": ["sleep", "60"] }));
    let wrong: [(&str, Value, &str, &[&str]); 26] = [
        ("status", json!({ "of": "x" }), "bad_input", &["status:", "'of'"]),
        (
            "broker.start",
            json!({ "settings": { "port": "x" } }),
            "bad_input",
            &["settings.port: \"x\""],
        ),
        (
            "broker.start",
            json!({ "name": "a b" }),
            "bad_input",
            &["broker.start: name:", "\"a b\""],
        ),
        ("broker.start", json!({ "name": "broker-1" }), "bad_input", &["`broker-1` already"]),
        (
            "broker.start",
            json!({ "settings": { "config": "\njetstream: disabled" } }),
            "bad_input",
            &["settings.config: line 2 sets `jetstream`"],
        ),
        (
            "broker.start",
            json!({ "settings": { "config": "nonsense" } }),
            "failed",
            &["nats-server ended with exit status 1", "nats.conf"],
        ),
        ("broker.start", json!({ "settings": { "user": "u" } }), "bad_input", &["`password`"]),
        (
            "broker.start",
            json!({ "settings": { "token": "t", "accounts": true } }),
            "bad_input",
            &["settings.token"],
        ),
        (
            "broker.start",
            json!({ "settings": { "jetstream": false, "store": "s" } }),
            "bad_input",
            &["settings.jetstream"],
        ),
        ("cluster.start", json!({ "nodes": 2 }), "bad_input", &["cluster of 2 nodes"]),
        (
            "cluster.start",
            json!({ "settings": { "accounts": true } }),
            "bad_input",
            &["settings.accounts"],
        ),
        ("account.create", json!({ "of": "broker-1" }), "bad_input", &["started without accounts"]),
        (
            "account.create",
            json!({ "of": "proxy-1" }),
            "no_such",
            &["proxy-1 is a proxy, and not a broker"],
        ),
        ("stream.create", json!({ "of": "broker-1", "config": {} }), "bad_input", &["config.name"]),
        ("stream.create", json!({ "of": "service-1", "config": {} }), "no_such", &["is a service"]),
        (
            "stream.create",
            json!({ "of": "broker-1", "config": { "name": "S", "subjects": ["a..b"] } }),
            "failed",
            &["stream.create: nats-server refuses it"],
        ),
        ("kv.create", json!({ "of": "broker-1", "bucket": "a.b" }), "failed", &["kv.create:"]),
        ("service.start", json!({ "run": [] }), "bad_input", &["run: it names no program"]),
        ("service.start", json!({ "run": ["/nowhere/x"] }), "failed", &["/nowhere/x"]),
        (
            "service.start",
            json!({ "run": ["sleep", "1"], "ready": { "subject": "s" } }),
            "bad_input",
            &["without `of`"],
        ),
        (
            "service.start",
            json!({ "run": ["sleep", "1"], "ready": { "http": "https://h/" } }),
            "bad_input",
            &["ready.http: \"https://h/\" is not an http:// URL"],
        ),
        (
            "fault",
            json!({ "of": "x", "fault": { "kind": "kill" } }),
            "no_such",
            &["there is no `x`; there is broker-1, proxy-1, service-1"],
        ),
        (
            "fault",
            json!({ "of": "broker-1", "fault": { "kind": "cut" } }),
            "bad_input",
            &["a broker has no `cut`"],
        ),
        (
            "fault",
            json!({ "of": "proxy-1", "fault": { "kind": "kill" } }),
            "bad_input",
            &["a proxy has no `kill`"],
        ),
        (
            "fault",
            json!({ "of": "proxy-1", "fault": { "kind": "lose", "messages": { "message": "ack", "nth": 1, "every": 2 } } }),
            "bad_input",
            &["exclude each other"],
        ),
        (
            "fault",
            json!({ "of": "proxy-1", "fault": { "kind": "lose", "messages": { "message": "ack", "times": 0 } } }),
            "bad_input",
            &["`times` counts from 1"],
        ),
    ];
    for (op, fields, kind, words) in wrong {
        let told = talk.err(op, fields.clone());
        assert_eq!(text(&told, "kind"), kind, "{op} {fields}: {told:#}");
        let message = text(&told, "message");
        assert!(message.starts_with(op), "{op} {fields}: {message}");
        for word in words {
            assert!(message.contains(word), "{op} {fields}: {message}, not {word}");
        }
    }
    talk.write("nonsense");
    let told = talk.read();
    assert_eq!((&told["id"], text(&told["err"], "kind")), (&Value::Null, "bad_input"));
    // Nothing of all this was done.
    let status = talk.ok("status", json!({}));
    assert_eq!(status["things"].as_array().map(Vec::len), Some(3), "{status:#}");
}

#[test]
fn whoever_speaks_another_version_is_told() {
    let home = Home::new();
    let mut talk = Talk::start_silently(&home);
    let told = talk.err("status", json!({}));
    assert_eq!(
        (text(&told, "kind"), text(&told, "message")),
        ("protocol", "the first command is `hello`")
    );
    let told = talk.err("hello", json!({ "protocol": 7 }));
    assert_eq!(text(&told, "kind"), "protocol");
    assert!(text(&told, "message").contains("speaks version 1, and it is asked for 7"), "{told}");
    assert!(text(&told, "hint").contains("same version"), "{told}");
    assert_eq!(text(&talk.err("status", json!({})), "kind"), "protocol");
    talk.ok("hello", json!({ "protocol": 1 }));
    talk.ok("status", json!({}));
}

#[test]
fn a_machine_without_a_server_says_so_with_the_first_broker() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("empty")).unwrap();
    let mut command = home.command(["control", "--offline"]);
    command.env("XDG_CACHE_HOME", home.path()).env("PATH", home.path().join("empty"));
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut talk = Talk::over(program.stdin.take().unwrap(), program.stdout.take().unwrap());
    talk.ok("hello", json!({ "protocol": 1 }));
    let told = talk.err("broker.start", json!({}));
    assert_eq!(text(&told, "kind"), "failed");
    assert!(text(&told, "message").contains("nats-server"), "{told}");
    talk.ok("status", json!({}));
    drop(talk);
    assert_eq!(program.wait().unwrap().code(), Some(0));
}
