//! Services that seem to keep a promise: what the broker does by itself, what was there before, and what
//! was hidden. And services that keep it in ways that look like a breach.

use crate::support::program::{Home, Said};

const WORKER: &str = include_str!("cheats/worker.py");

const SUITE: &str = r#"
[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "ready" }
"#;

const STREAM: &str = r#"stream = "DONE", key = "/id""#;
const FILE: &str = r#"file = "done.jsonl", key = "/id""#;
/// What is new comes first.
const COMMAND: &str = r#"command = ["tac", "{{dir}}/done.jsonl"], key = "/id""#;
const LOG: &str = r#"log = "worker", key = 'did (\S+)'"#;
const ORDER: &str =
    "[[step]]\nsubmit = \"orders.{{n}}\"\nbody = { id = \"o-{{n}}\" }\nrepeat = 2\n";
/// A service may go on, and somebody unseen may ask.
const LONGER: &str = "[[step]]\nrun = [\"sleep\", \"2\"]\n";

/// One scenario: the worker's way, what it promises, and what is done.
fn scenario(home: &Home, cheat: &str, promise: &str, steps: &str) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("worker.py"), WORKER).unwrap();
    std::fs::write(root.join("suite.toml"), SUITE).unwrap();
    let within = if promise.contains("within") { "" } else { "within = \"4s\"\n" };
    let text = format!(
        "description = \"{cheat}\"\n[services.worker]\nenv = {{ CHEAT = \"{cheat}\" }}\n\
         [promise.order]\noperation = {{ submit = \"orders.*\" }}\nkey = \"/id\"\n{within}{promise}\n{steps}"
    );
    let name = std::fs::read_dir(root.join("scenarios")).unwrap().count();
    std::fs::write(root.join(format!("scenarios/{name}-{cheat}.toml")), text).unwrap();
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

fn effect(at: &str) -> String {
    format!("effect = {{ {at} }}")
}

#[test]
fn what_no_service_did_or_what_was_hidden_is_never_green() {
    let home = Home::new();
    let own = "takes `orders.1`: there each operation is its own effect";
    let renamed = r#"stream = "ORDERS", subject = "done.*", key = "/id""#;
    let subject = r#"subject = "done.>", key = "/id""#;
    let early = format!("{LONGER}{}", ORDER.replace("repeat = 2", "repeat = 1"));
    let at_most_once = format!("{}\ntimes = \"at-most-once\"", effect(STREAM));
    let in_flight = format!("{}\nwithin = \"2s\"", effect(STREAM));
    let cases = [
        ("mirror", effect(STREAM), ORDER, format!("stream DONE {own}")),
        ("sources", effect(STREAM), ORDER, format!("stream DONE {own}")),
        ("republish", effect(STREAM), ORDER, format!("stream DONE {own}")),
        ("republish", effect(subject), ORDER, format!("subject done.> {own}")),
        ("renamed", effect(renamed), ORDER, format!("stream ORDERS (done.*) {own}")),
        ("again", at_most_once, ORDER, "`o-1` is ".to_owned()),
        ("never", in_flight, ORDER, "what is in flight may be done once more".to_owned()),
        (
            "early-file",
            effect(FILE),
            ORDER,
            "before anybody asked for it: done.jsonl line".to_owned(),
        ),
        ("early", effect(STREAM), &early, "before any client on record asked for it".to_owned()),
        ("made-anew", effect(STREAM), ORDER, "stream DONE was deleted and made anew".to_owned()),
        ("counted-anew", effect(STREAM), ORDER, "stream DONE has removed 4 messages".to_owned()),
        ("cut", effect(FILE), ORDER, " lines, and has 2: what they said".to_owned()),
        ("rewritten", effect(FILE), ORDER, "its line 1 is not what it was".to_owned()),
        ("surrogate", effect(FILE), ORDER, "done.jsonl line 2 is JSON that cannot".to_owned()),
        ("long", effect(LOG), ORDER, "not every line of the log of worker".to_owned()),
    ];
    for (cheat, promise, steps, _) in &cases {
        scenario(&home, cheat, promise, steps);
    }
    let said = e2e(&home, &["--ci"]).failed(1, "");
    for (n, (cheat, .., sentence)) in cases.iter().enumerate() {
        let name = format!("{n}-{cheat}");
        let red = said.stdout.lines().any(|line| line.starts_with(&format!("FAIL {name} ")));
        assert!(red && said.stdout.contains(sentence), "{name}: {sentence}\n{}", said.stdout);
    }
}

#[test]
fn what_the_broker_brings_on_a_longer_way_or_was_put_right_afterwards_is_never_green() {
    let home = Home::new();
    let own = "takes `orders.1`: there each operation is its own effect";
    let transformed = r#"stream = "DONE", subject = "done.*", key = "/id""#;
    let bucket = r#"kv = "done", key = "/id""#;
    let subject = r#"subject = "done.>", key = "/id""#;
    let cases = [
        ("chain", STREAM, format!("stream DONE {own}")),
        ("transformed", transformed, format!("stream DONE (done.*) {own}")),
        ("bucket-sources", bucket, format!("bucket done {own}")),
        (
            "push",
            subject,
            "`o-1` was acknowledged to rust (sequence 1), and is not in subject".to_owned(),
        ),
        ("deleted-one", STREAM, "stream DONE has removed 2 messages".to_owned()),
        ("rollup", STREAM, "stream DONE has removed 2 messages".to_owned()),
        ("purged-key", bucket, "`o-2` was deleted from bucket done".to_owned()),
        (
            "full",
            STREAM,
            "`o-2` was acknowledged to rust (sequence 2), and is not in stream DONE".to_owned(),
        ),
        ("at-its-end", STREAM, "`o-1` is 2 times in stream DONE, not once".to_owned()),
        ("one-line", LOG, "`o-1` is 2 times in log of worker, not once".to_owned()),
    ];
    for (cheat, at, _) in &cases {
        scenario(&home, cheat, &effect(at), ORDER);
    }
    let said = e2e(&home, &["--ci"]).failed(1, "");
    for (n, (cheat, _, sentence)) in cases.iter().enumerate() {
        let name = format!("{n}-{cheat}");
        let red = said.stdout.lines().any(|line| line.starts_with(&format!("FAIL {name} ")));
        assert!(red && said.stdout.contains(sentence), "{name}: {sentence}\n{}", said.stdout);
    }
}

#[test]
fn what_is_done_in_time_is_green_however_long_the_steps_go_on() {
    let home = Home::new();
    for at in [STREAM, FILE, LOG, COMMAND] {
        let promise = format!("{}\nwithin = \"1s\"\nunasked = \"ignore\"", effect(at));
        scenario(&home, "good", &promise, &format!("{ORDER}{LONGER}"));
    }
    e2e(&home, &["--update"]).ok();
}
