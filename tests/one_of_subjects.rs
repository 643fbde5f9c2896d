//! A promise whose effect is on one of several subjects.

use crate::support::own_suite::{e2e, suite, worker};
use crate::support::program::Home;

/// Says of each order what came of it, on a subject for each outcome; of `both` on both.
const EACH: &str = r#"order = json.loads(message.data)
        for came in {"both": ["done", "refused"], "none": []}.get(order["came"], [order["came"]]):
            await js.publish(f"out.{came}.{order['id']}", message.data)"#;

const SUITE: &str = r#"
[streams.ORDERS]
subjects = ["orders.>"]
[streams.OUT]
subjects = ["out.>"]
[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "up" }
"#;

fn steps(effect: &str, came: &[&str]) -> String {
    let promise = format!(
        "[promise.order]\noperation = {{ submit = \"orders.new\" }}\nkey = \"/id\"\nwithin = \"2s\"\n\
         effect = {{ {effect}, key = \"subject:3\" }}\n"
    );
    let step = |(n, came): (usize, &&str)| {
        format!(
            "[[step]]\nsubmit = \"orders.new\"\nbody = {{ id = \"o-{n}\", came = \"{came}\" }}\n"
        )
    };
    promise + &came.iter().enumerate().map(step).collect::<String>()
}

#[test]
fn an_effect_on_one_of_several_subjects_counts_once_and_on_both_twice() {
    let home = Home::new();
    let stream = "stream = \"OUT\", subject = [\"out.done.*\", \"out.refused.*\"]";
    let heard = "subject = [\"out.done.*\", \"out.refused.*\"]";
    let (kept, both, none) = (["done", "refused"], ["done", "both"], ["done", "none"]);
    let all = [
        ("stream-kept", steps(stream, &kept)),
        ("heard-kept", steps(heard, &kept)),
        ("stream-twice", steps(stream, &both)),
        ("heard-twice", steps(heard, &both)),
        ("stream-lost", steps(stream, &none)),
        ("heard-lost", steps(heard, &none)),
        // Another subject is not looked at.
        ("one-of-two", steps("stream = \"OUT\", subject = \"out.done.*\"", &kept)),
    ];
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    suite(&home, SUITE, &all);
    worker(&home, "pass", EACH);
    e2e(&home, &["stream-kept", "heard-kept", "--update"]).ok();
    let red = ["stream-twice", "heard-twice", "stream-lost", "heard-lost", "one-of-two", "--ci"];
    let said = e2e(&home, &red).failed(1, "").stdout;
    let (in_stream, on_subject) =
        ("stream OUT (out.done.* or out.refused.*)", "subject out.done.* or out.refused.*");
    for told in [
        format!("`o-1` is 2 times in {in_stream}, not once"),
        format!("`o-1` is 2 times in {on_subject}, not once"),
        format!("`o-1` was acknowledged to rust (sequence 2), and is not in {in_stream}"),
        format!("`o-1` was acknowledged to rust (sequence 2), and is not in {on_subject}"),
        "`o-1` was acknowledged to rust (sequence 2), and is not in stream OUT (out.done.*)"
            .to_owned(),
    ] {
        assert!(said.contains(&told), "{told}\n{said}");
    }
    assert!(said.contains("0 passed, 5 failed"), "{said}");
}
