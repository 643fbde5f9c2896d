//! Golden files and patterns detect differences: each suite here passes with the first of two
//! replies and fails with the second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::suite::{Suite, in_process};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use mono_demo::e2e::driver::TypedCalls;
use mono_demo::e2e::session::Mode;
use mono_demo::mono::Caller;
use mono_demo::wire::driver::Outcome;
use serde_json::{Map, Value};

/// A body with headers.
#[derive(Clone, Debug)]
struct Answer(&'static [u8], &'static [(&'static str, &'static str)]);

/// A service, which `call = "service.starts"` starts: what it answers on each subject, before and after
/// it was changed.
#[derive(Clone, Default)]
struct Service {
    answers: Arc<Mutex<BTreeMap<String, [Answer; 2]>>>,
    changed: Arc<AtomicBool>,
}

impl Service {
    fn answers(&self, subject: &str, answers: [Answer; 2]) {
        self.answers.lock().unwrap().insert(subject.to_owned(), answers);
    }

    fn change(&self, changed: bool) {
        self.changed.store(changed, Ordering::SeqCst);
    }

    async fn serve(self, client: async_nats::Client, mut requests: async_nats::Subscriber) {
        while let Some(request) = requests.next().await {
            let answers = self.answers.lock().unwrap()[request.subject.as_str()].clone();
            let Answer(body, headers) = &answers[usize::from(self.changed.load(Ordering::SeqCst))];
            let mut map = async_nats::HeaderMap::new();
            for (name, value) in *headers {
                map.append(*name, *value);
            }
            let reply = request.reply.expect("who asks waits");
            client.publish_with_headers(reply, map, (*body).into()).await.expect("an answer");
        }
    }
}

impl TypedCalls for Service {
    fn call(
        &self,
        caller: Caller,
        _: String,
        _: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        let service = self.clone();
        async move {
            let client = caller.client().clone();
            let requests = client.subscribe("case.*").await.expect("a subscription");
            client.flush().await.expect("a flush");
            tokio::spawn(service.serve(client, requests));
            Outcome::Ok(Value::Null)
        }
        .boxed()
    }
}

const STARTS: &str = "[[step]]\ncall = \"service.starts\"\n";

/// A scenario that asks on this subject; what more a step says.
fn asks(subject: &str, more: &str) -> String {
    format!("{STARTS}[[step]]\nrequest = \"{subject}\"\n{more}\n")
}

async fn suite(service: &Service, scenarios: &[(String, String)]) -> Suite {
    let scenarios: Vec<(&str, &str)> =
        scenarios.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut suite = Suite::new(vec![in_process("rust", service.clone())], &scenarios).await;
    suite.variable("shell", "sh");
    suite.settings.mode = Mode::Update;
    suite
}

/// Green as it was, and every scenario red once all is changed.
async fn all_see(suite: &mut Suite, service: &Service, change: impl Fn(&Suite, bool)) {
    let count = suite.count();
    change(suite, false);
    let (summary, report) = suite.run().await;
    assert_eq!(summary.updated, count, "{report}");
    suite.settings.mode = Mode::Ci;
    for (changed, failed) in [(false, 0), (true, count)] {
        service.change(changed);
        change(suite, changed);
        let (summary, report) = suite.run().await;
        assert_eq!((summary.failed, summary.broken), (failed, 0), "changed: {changed}\n{report}");
    }
}

#[tokio::test]
async fn another_reply_is_another_golden_text() {
    let body = |first, second| [Answer(first, &[]), Answer(second, &[])];
    let service = Service::default();
    let cases = [
        ("json-to-text", body(b"\"hello\"", b"hello")),
        ("text-to-json", body(b"text \"hello\"", b"\"text \\\"hello\\\"\"")),
        ("bytes-to-base64", body(b"\xff\xfe", b"//4=")),
        ("bytes-to-their-text", body(b"\xff\xfe", b"base64 //4=")),
        ("digits", body(b"12345678901234567.89", b"12345678901234567.88")),
        ("long-id", body(br#"{"id":18446744073709551617}"#, br#"{"id":18446744073709551618}"#)),
        ("large", body(b"1e400", b"1e401")),
        ("repeated-key", body(br#"{"a":2}"#, br#"{"a":1,"a":2}"#)),
        ("repeated-order", body(br#"{"a":2,"a":1}"#, br#"{"a":1,"a":2}"#)),
        ("empty", body(b"\"\"", b"")),
        ("empty-text", body(b"(empty)", b"")),
        ("matcher", body(b"\"#any\"", b"\"x\"")),
        ("matcher-key", body(br##"{"#unordered":[1,2]}"##, br##"{"#unordered":[2,1]}"##)),
        ("header-gone", [Answer(b"1", &[("Total", "5")]), Answer(b"1", &[])]),
        ("header-other", [Answer(b"1", &[("Total", "5")]), Answer(b"1", &[("Total", "6")])]),
        (
            "header-twice",
            [Answer(b"1", &[("A", "[\"a\",\"b\"]")]), Answer(b"1", &[("A", "a"), ("A", "b")])],
        ),
        ("header-control", [Answer(b"1", &[("A", "\u{7f}")]), Answer(b"1", &[("A", "\\u{7f}")])]),
        ("header-matcher", [Answer(b"1", &[("A", "#any")]), Answer(b"1", &[("A", "x")])]),
    ];
    let mut scenarios = Vec::new();
    for (name, answers) in cases {
        service.answers(&format!("case.{name}"), answers);
        scenarios.push((name.to_owned(), asks(&format!("case.{name}"), "")));
    }
    all_see(&mut suite(&service, &scenarios).await, &service, |_, _| ()).await;
}

#[tokio::test]
async fn what_is_the_same_stays_green() {
    let body = |first, second| [Answer(first, &[]), Answer(second, &[])];
    let service = Service::default();
    let cases = [
        ("fraction", body(b"15", b"15.0")),
        ("exponent", body(b"{\"n\":15}", b"{\"n\":1.5e1}")),
        ("zeros", body(b"0.10", b"1e-1")),
        ("order", body(br#"{"a":1,"b":2}"#, br#"{ "b": 2, "a": 1 }"#)),
        ("escapes", body(b"\"\\u0041\"", b"\"A\"")),
    ];
    let mut scenarios = Vec::new();
    for (name, answers) in cases {
        service.answers(&format!("case.{name}"), answers);
        scenarios.push((name.to_owned(), asks(&format!("case.{name}"), "")));
    }
    let mut suite = suite(&service, &scenarios).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.updated, suite.count(), "{report}");
    suite.settings.mode = Mode::Ci;
    service.change(true);
    let (summary, report) = suite.run().await;
    assert!(summary.is_ok(), "{report}");
}

#[tokio::test]
async fn other_output_of_a_program_is_another_golden_text() {
    let long = |end: &str| format!("{}{end}\n", "x".repeat(70_000)).into_bytes();
    let many = |end: &str| format!("{}{end}\n", "x\n".repeat(70_000)).into_bytes();
    let flood = |end: &str| format!("{}{end}", "x".repeat(5 << 20)).into_bytes();
    let bytes = |text: &[u8]| text.to_vec();
    let cases = [
        ("returns", bytes(b"a\n"), bytes(b"a\r\n")),
        ("blanks", bytes(b"a\n"), bytes(b"a \n")),
        ("last-newline", bytes(b"a\n"), bytes(b"a")),
        ("one-newline", bytes(b""), bytes(b"\n")),
        ("not-text", bytes(b"caf\xe9\n"), bytes(b"caf\xe8\n")),
        ("not-text-to-text", bytes(b"caf\xe9\n"), bytes(b"caf\\xe9\n")),
        ("escape", bytes(b"\x1b[31m\n"), bytes(b"\\u{1b}[31m\n")),
        ("long-line", long("a"), long("b")),
        ("many-lines", many("a"), many("b")),
        ("flood", flood("a"), flood("b")),
    ];
    let mut scenarios = Vec::new();
    for (name, ..) in &cases {
        for (pipe, to) in [("out", ""), ("err", " >&2")] {
            let step = format!("[[step]]\nrun = [\"{{{{shell}}}}\", \"-c\", \"cat {name}{to}\"]\n");
            scenarios.push((format!("{name}-{pipe}"), step));
        }
    }
    let service = Service::default();
    let mut suite = suite(&service, &scenarios).await;
    all_see(&mut suite, &service, |suite, changed| {
        for (name, first, second) in &cases {
            std::fs::write(suite.at(name), if changed { second } else { first }).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn patterns_see_digits_and_bytes() {
    let service = Service::default();
    let body = |first, second| [Answer(first, &[]), Answer(second, &[])];
    let cases = [
        ("digits", "reply = { x = 0.1 }", body(b"{\"x\":0.1}", b"{\"x\":0.10000000000000000001}")),
        (
            "all-digits",
            "reply = \"#number:12345678901234567.89\"",
            body(b"12345678901234567.890", b"12345678901234567.88"),
        ),
        ("bytes", "reply = \"#base64:/w==\"", body(b"\xff", b"\"/w==\"")),
        ("base64", "reply = \"/w==\"", body(b"\"/w==\"", b"\xff")),
        ("a-string", "reply = \"#string\"", body(b"\"x\"", b"\xff")),
        ("twice", "reply = { a = 2 }", body(b"{\"a\":2}", b"{\"a\":1,\"a\":2}")),
        ("saved", "save = \"id\"", body(b"7", b"12345678901234567.89")),
    ];
    let mut scenarios = Vec::new();
    for (name, more, answers) in cases {
        service.answers(&format!("case.{name}"), answers);
        // Nothing but the pattern can see it.
        scenarios.push((
            name.to_owned(),
            asks(&format!("case.{name}"), &format!("{more}\ngolden = false")),
        ));
    }
    let program = "[[step]]\nrun = [\"{{shell}}\", \"-c\", \"cat printed\"]\nstdout = \"a\\n\"\ngolden = false\n";
    scenarios.push(("no-newline-is-added".to_owned(), program.to_owned()));
    all_see(&mut suite(&service, &scenarios).await, &service, |suite, changed| {
        std::fs::write(suite.at("printed"), if changed { "a" } else { "a\n" }).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_nobody_promises_is_left_out_and_the_rest_is_seen() {
    let first = br#"{"id":7,"took":3,"list":[1,"b"],"kept":1}"#;
    let service = Service::default();
    let other = br#"{"id":8,"took":4,"list":["c",9],"kept":1}"#;
    service
        .answers("case.volatile", [Answer(first, &[("At", "1")]), Answer(other, &[("At", "2")])]);
    let more = "reply = { id = \"#number\", list = { \"#unordered\" = [\"#string\", \"#number\"] } }\n\
                reply_headers = { At = \"#re:^[0-9]$\" }\ngolden = [\"/took\"]";
    let steps = asks("case.volatile", more)
        + &asks("case.volatile", "golden = false").replace(STARTS, "")
        + "[[step]]\nrun = [\"{{shell}}\", \"-c\", \"date +%N\"]\nstdout = \"#any\"\n";
    let mut suite = suite(&service, &[("volatile".to_owned(), steps)]).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.updated, 1, "{report}");
    let golden = std::fs::read_to_string(suite.golden("volatile.snap")).unwrap();
    insta::assert_snapshot!(golden, @r##"
    ---
    source: "fixtures/volatile.toml"
    expression: "volatile"
    ---
    call service.starts()
      = null

    request case.volatile (empty)
      = {"id":"#number","kept":1,"list":{"#unordered":["#string","#number"]}}
        At: #re:^[0-9]$

    run sh -c date +%N
      = exit 0
      |= "#any"
    "##);
    suite.settings.mode = Mode::Ci;
    service.change(true);
    let (summary, report) = suite.run().await;
    assert!(summary.is_ok(), "{report}");
    let gone = br#"{"id":8,"took":4,"list":["c",9]}"#;
    service.answers("case.volatile", [Answer(first, &[]), Answer(gone, &[("At", "2")])]);
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 1, "{report}");
    let lines = ["-  = {\"id\":\"#number\",\"kept\":1", "+  = {\"id\":\"#number\",\"list\""];
    assert!(lines.iter().all(|line| report.contains(line)), "{report}");
}

#[tokio::test]
async fn matchers_written_into_a_golden_file_hold_and_outlive_an_update() {
    let service = Service::default();
    let first = br#"{"id":7,"kept":1}"#;
    service.answers("case.a", [Answer(first, &[]), Answer(br#"{"id":8,"kept":1}"#, &[])]);
    let mut suite = suite(&service, &[("a".to_owned(), asks("case.a", ""))]).await;
    suite.run().await;
    let golden = suite.golden("a.snap");
    let text = std::fs::read_to_string(&golden).unwrap().replace("\"id\":7", "\"id\":\"#number\"");
    std::fs::write(&golden, &text).unwrap();
    suite.settings.mode = Mode::Ci;
    service.change(true);
    let (summary, report) = suite.run().await;
    assert!(summary.is_ok(), "{report}");
    service.answers("case.a", [Answer(first, &[]), Answer(br#"{"id":"8","kept":1}"#, &[])]);
    assert_eq!(suite.run().await.0.failed, 1);
    // Another step differs: what stands there by hand stays.
    service.answers("case.a", [Answer(first, &[]), Answer(br#"{"id":9,"kept":1}"#, &[])]);
    let fixture = suite.golden("a.toml");
    let steps = std::fs::read_to_string(&fixture).unwrap();
    std::fs::write(&fixture, steps + "[[step]]\npublish = \"b\"\n").unwrap();
    suite.settings.mode = Mode::Update;
    suite.run().await;
    let updated = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(updated, text + "\npublish b (empty)\n");
}

#[tokio::test]
async fn a_name_in_braces_can_be_sent_as_it_is() {
    let steps = "[[step]]\npublish = \"a\"\ntext = '\\{{name}} \\\\{{n}}'\nrepeat = 1\n\
                 [[step]]\nexpect_message = { subject = \"a\", body = '\\{{name}} \\1' }\n\
                 [[row]]\nname = \"one\"\n";
    let rowed = steps.replace("'\\{{name}} ", "'{{name}} \\{{name}} ");
    let plain = steps.replace("[[row]]\nname = \"one\"\n", "");
    let scenarios = [("plain".to_owned(), plain), ("rowed".to_owned(), rowed)];
    let suite = suite(&Service::default(), &scenarios).await;
    let (summary, report) = suite.run().await;
    assert_eq!((summary.updated, summary.failed), (2, 0), "{report}");
    let golden = |name: &str| std::fs::read_to_string(suite.golden(name)).unwrap();
    assert!(golden("plain.snap").contains(r#"= text "{{name}} \\1""#), "{}", golden("plain.snap"));
    let rowed = golden("rowed.one.snap");
    assert!(rowed.contains(r#"= text "one {{name}} \\1""#), "{rowed}");
}
