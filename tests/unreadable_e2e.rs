//! A scenario that listens says what it could not read, on whatever step it comes.

use crate::support::suite::{Fake, Suite, in_process};

/// Publishes one message with a bare carriage return in a header, and one that can be read.
const STRANGER: &str = r#"
[[step]]
run = ["python3", "-c", '''
import json, os, socket, urllib.parse
url = urllib.parse.urlsplit(os.environ["NATS_URL"])
stream = socket.create_connection((url.hostname, url.port)).makefile("rwb")
stream.readline()
login = {"user": os.environ.get("NATS_USER"), "pass": os.environ.get("NATS_PASSWORD"), "headers": True, "verbose": False}
stream.write(b"CONNECT " + json.dumps(login).encode() + b"\r\n")
for block in b"NATS/1.0\r\nX: a\rb\r\n\r\n", b"NATS/1.0\r\nX: a\r\n\r\n":
    stream.write(b"HPUB heard.it %d %d\r\n%s{}\r\n" % (len(block), len(block) + 2, block))
stream.write(b"PING\r\n")
stream.flush()
assert stream.readline() == b"PONG\r\n"
''']
"#;

const SAID: &str = "a message came on heard.it, and the headers cannot be read: ";

async fn shown(stranger: &str, step: &str) -> String {
    let scenario = format!("{stranger}\n[[step]]\n{step}\n");
    let suite =
        Suite::new(vec![in_process("rust", Fake("word"))], &[("stranger", scenario.as_str())])
            .await;
    let (summary, text) = suite.run().await;
    assert_eq!((summary.passed, summary.failed), (0, 1), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_that_listens_says_what_it_could_not_read() {
    for step in [
        "expect_message = { subject = \"heard.*\" }",
        "expect_message = { subject = \"heard.*\", none = true }",
        "expect_messages = { subject = \"heard.*\", count = 2 }",
    ] {
        told(&shown(STRANGER, step).await);
    }
    // The one too many is it.
    let later = STRANGER.replace("for block in", "for block in b\"NATS/1.0\\r\\n\\r\\n\",");
    told(&shown(&later, "expect_messages = { subject = \"heard.*\", count = 1 }").await);
}

fn told(text: &str) {
    assert!(text.contains(SAID) && text.contains(r"X: a\rb"), "{text}");
}
