//! An effect in a stream that keeps one message a subject: what was overwritten cannot be counted.

use crate::support::own_suite::{e2e, suite, worker};
use crate::support::program::Home;

/// Makes the stream itself, so that no table says what it keeps, and writes each status twice.
const FIRST: &str =
    r#"await js.add_stream(name="STATUS", subjects=["status.*"], max_msgs_per_subject=1)"#;
const EACH: &str = r#"order = json.loads(message.data)["id"]
        if order != os.environ.get("LOSE"):
            await js.publish(f"status.{order}", message.data)
            await js.publish(f"status.{order}", message.data)"#;

const SUITE: &str = r#"
[streams.ORDERS]
subjects = ["orders.>"]
[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "up" }
"#;

fn scenario(key: &str, more: &str) -> String {
    format!(
        "[promise.order]\noperation = {{ submit = \"orders.new\" }}\nkey = \"/id\"\nwithin = \"2s\"\n\
         effect = {{ stream = \"STATUS\", key = \"{key}\" }}\n{more}\n\
         [[step]]\nsubmit = \"orders.new\"\nbody = {{ id = \"o-{{{{n}}}}\" }}\nrepeat = 3\n"
    )
}

#[test]
fn what_was_overwritten_is_not_counted_and_the_verdict_says_so() {
    let home = Home::new();
    let least = "times = \"at-least-once\"";
    let lose = format!("{least}\n[services.worker]\nenv = {{ LOSE = \"o-2\" }}");
    let all = [
        ("once", scenario("/id", "")),
        ("by-body", scenario("/id", least)),
        ("least", scenario("subject:2", least)),
        ("lost", scenario("subject:2", &lose)),
    ];
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    suite(&home, SUITE, &all);
    worker(&home, FIRST, EACH);
    let said = e2e(&home, &["least", "--update"]).ok();
    assert!(said.contains("promise order: 3 acknowledged, 3 done, 0 lost"), "{said}");
    let said = e2e(&home, &["once", "by-body", "lost", "--ci"]).failed(1, "").stdout;
    for told in [
        "stream STATUS keeps one message a subject, so that what was overwritten is not counted",
        "stream STATUS has removed 3 messages: what they were is not known",
        "`o-2` was acknowledged to rust (sequence 2), and is not in stream STATUS",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert!(said.contains("0 passed, 3 failed"), "{said}");
}
