//! Whole runs of small suites, without services: what passes, what does not, and what is reported.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::suite::{Fake, Suite, in_process};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mono_demo::e2e::driver::TypedCalls;
use mono_demo::e2e::report::{Json, Junit, Look, Tap, Terminal};
use mono_demo::e2e::run::Client;
use mono_demo::e2e::session::{self, Again, E2eError, Filter, Mode};
use mono_demo::e2e::verdict::event::Summary;
use mono_demo::mono::Caller;
use mono_demo::wire::driver::Outcome;
use serde_json::{Map, Value, json};

/// Answers `bad` to the calls that are counted here, and `good` to all others.
struct Uneven {
    bad: &'static [usize],
    calls: AtomicUsize,
}

impl TypedCalls for Uneven {
    fn call(
        &self,
        _: Caller,
        _: String,
        _: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let word = if self.bad.contains(&call) { "bad" } else { "good" };
        async move { Outcome::Ok(json!(word)) }.boxed()
    }
}

/// A suite of these scenarios, whose client `rust` answers `a`.
async fn suite(scenarios: &[(&str, &str)]) -> Suite {
    let mut suite = Suite::new(vec![in_process("rust", Fake("a"))], scenarios).await;
    suite.variable("shell", "sh");
    let missing = Err("not installed".to_owned());
    suite.settings.machine.variables.insert("python".to_owned(), missing);
    suite
}

/// Runs the suite once with [`Mode::Update`].
async fn update(suite: &mut Suite) -> (Summary, String) {
    suite.settings.mode = Mode::Update;
    let result = suite.run().await;
    suite.settings.mode = Mode::Compare;
    result
}

/// The report without times and logs.
fn stable(report: &str) -> String {
    let mut out = String::new();
    let mut in_log = false;
    for line in report.lines() {
        in_log = line.starts_with("     --- last lines") || (in_log && !line.contains("again: "));
        if in_log {
            continue;
        }
        let (line, suite) = line.split_at(line.find(" (suite ").unwrap_or(line.len()));
        let line = match line.rsplit_once(' ') {
            Some((rest, "s")) => format!("{} N s", rest.rsplit_once(' ').unwrap().0),
            _ => line.trim_end().to_owned(),
        };
        out.push_str(&(line + suite));
        out.push('\n');
    }
    out
}

#[tokio::test]
async fn a_suite_is_written_once_and_then_holds() {
    let echo = "[[step]]\ncall = \"fake.echo\"\nargs = [{ id = 7 }]\nsave = { id = \"/id\" }\n\
                [[step]]\ncall = \"fake.echo\"\nargs = [\"{{id}}\"]\nreply = 7\n";
    let program = "[[step]]\nrun = [\"{{shell}}\", \"-c\", \"echo out; echo err >&2; exit 3\"]\n\
                   exit = 3\nstdout = \"#re:^out\"\n";
    let raw = "[[step]]\npublish = \"a.b\"\ntext = \"hello\"\n\
               [[step]]\nexpect_message = { subject = \"a.*\", body = \"hello\" }\n\
               [[step]]\nexpect_message = { subject = \"a.*\", none = true }\n\
               [[step]]\nfault = \"kill-broker\"\n\
               [[step]]\npublish = \"a.c\"\nbody = { n = \"{{n}}\" }\nrepeat = 3\n\
               [[step]]\nexpect_message = { subject = \"a.*\" }\n\
               [[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n\
               [[step]]\nsettle = true\n";
    let mut suite = suite(&[("echo", echo), ("deep/program", program), ("raw", raw)]).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 3, "no golden files yet: {report}");
    assert!(suite.golden("raw.snap.new").exists());
    let (summary, report) = update(&mut suite).await;
    assert_eq!((summary.passed, summary.updated), (3, 3), "{report}");
    assert!(!suite.golden("raw.snap.new").exists());
    let golden = |name: &str| std::fs::read_to_string(suite.golden(name)).unwrap();
    insta::assert_snapshot!("golden-program", golden("deep/program.snap"));
    insta::assert_snapshot!("golden-raw", golden("raw.snap"));
    let (summary, report) = suite.run().await;
    assert!(summary.is_ok(), "{report}");
}

#[tokio::test]
async fn a_client_that_does_otherwise_is_shown_beside_the_first() {
    let mut suite = suite(&[("word", "[[step]]\ncall = \"fake.word\"\n")]).await;
    suite.settings.clients.push(in_process("other", Fake("b")));
    let (summary, report) = update(&mut suite).await;
    assert_eq!((summary.passed, summary.failed), (1, 1));
    insta::assert_snapshot!("report-other-client", stable(&report));
    let (summary, _) = suite.run().await;
    assert_eq!((summary.passed, summary.failed), (1, 1));
}

#[tokio::test]
async fn what_does_not_hold_is_told_with_its_line() {
    let suite = suite(&[
        ("differs", "[[step]]\ncall = \"fake.word\"\nreply = \"b\"\nwithin = \"100ms\"\n"),
        ("late", "[[step]]\nrun = [\"{{shell}}\", \"-c\", \"echo still here >&2; sleep 60\"]\ntimeout = \"200ms\"\n"),
        ("missing", "[[step]]\nexpect_message = { subject = \"a\" }\nwithin = \"100ms\"\n"),
        ("panics", "[[step]]\ncall = \"fake.panic\"\n"),
        ("skips", "[[step]]\ncall = \"fake.skip\"\n"),
        ("tool", "[[step]]\nrun = [\"{{python}}\"]\n"),
    ])
    .await;
    let (summary, report) = suite.run().await;
    assert_eq!((summary.failed, summary.broken, summary.skipped), (3, 1, 2), "{report}");
    // Runs end in any order, and the longest name so far sets the width: blocks are sorted, and
    // white space counts once.
    let mut blocks: Vec<String> = Vec::new();
    for line in stable(&report).lines().filter(|line| !line.contains("scenarios,")) {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        match blocks.last_mut() {
            Some(block) if line.starts_with(' ') => block.push_str(&format!("\n  {words}")),
            _ if words.is_empty() => {}
            _ => blocks.push(words),
        }
    }
    blocks.sort_unstable();
    insta::assert_snapshot!("report-failures", blocks.join("\n"));
}

#[tokio::test]
async fn fail_fast_begins_no_other_run() {
    let differs = "[[step]]\ncall = \"fake.word\"\nreply = \"b\"\n";
    let mut suite = suite(&[("a", differs), ("b", differs), ("c", differs)]).await;
    suite.settings.fail_fast = true;
    suite.settings.jobs = 1;
    let (summary, _) = suite.run().await;
    assert_eq!((summary.failed, summary.not_run), (1, 2));
    assert!(!summary.is_ok());
}

#[tokio::test]
async fn names_and_tags_choose() {
    let step = "[[step]]\ncall = \"fake.word\"\n";
    let tagged = format!("tags = [\"slow\"]\n{step}");
    let mut suite = suite(&[("a/b", step), ("a/b-c", &tagged), ("d", step)]).await;
    let mut chosen = |names: &[&str], tags: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        suite.settings.filter =
            Filter { names: owned(names), tags: owned(tags), ..Filter::default() };
        session::chosen(&suite.settings)
            .map(|all| all.fixtures.iter().map(|f| f.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&[], &[]).unwrap(), ["a/b", "a/b-c", "d"]);
    assert_eq!(chosen(&["a/"], &[]).unwrap(), ["a/b", "a/b-c"]);
    assert_eq!(chosen(&["a/b"], &[]).unwrap(), ["a/b"], "a whole name is only itself");
    assert_eq!(chosen(&[], &["slow"]).unwrap(), ["a/b-c"]);
    let error = chosen(&["a/c"], &[]).unwrap_err();
    assert!(matches!(&error, E2eError::NothingChosen { .. }));
    assert_eq!(error.hint().as_deref(), Some("did you mean `a/b`?"));
}

/// One scenario that wants a `good` answer, and a client that gives `bad` ones to these calls.
async fn uneven(bad: &'static [usize]) -> (Suite, Arc<Uneven>) {
    let step = "[[step]]\ncall = \"fake.word\"\nreply = \"good\"\n";
    let mut suite = suite(&[("g/uneven", step)]).await;
    let client = Arc::new(Uneven { bad, calls: AtomicUsize::new(0) });
    suite.settings.clients[0].client = Client::InProcess(client.clone());
    suite.settings.jobs = 1;
    let golden = "---\nsource: \"fixtures/g/uneven.toml\"\nexpression: \"g/uneven\"\n---\ncall fake.word()\n  = \"good\"\n";
    std::fs::write(suite.golden("g/uneven.snap"), golden).unwrap();
    (suite, client)
}

#[tokio::test]
async fn what_passes_only_when_tried_again_is_flaky_and_no_pass() {
    let (mut suite, _) = uneven(&[1, 2]).await;
    suite.settings.again = Again::Retries(3);
    let mut text = Vec::new();
    let mut terminal = Terminal::new(&mut text, Look::default());
    let (mut junit, mut tap) =
        (Junit::create(&suite.at("r.xml")).unwrap(), Tap::create(&suite.at("r.tap")).unwrap());
    let summary = suite.run_for(&mut [&mut terminal, &mut junit, &mut tap]).await;
    assert_eq!((summary.flaky, summary.passed, summary.failed, summary.runs), (1, 0, 0, 1));
    assert!(!summary.is_ok(), "a flaky run is no pass");
    let report = stable(&String::from_utf8(text).unwrap());
    insta::assert_snapshot!("report-flaky", report);
    let xml = std::fs::read_to_string(suite.at("r.xml")).unwrap();
    assert!(xml.contains("type=\"flaky\"") && xml.contains("failures=\"1\""), "{xml}");
    let tap = std::fs::read_to_string(suite.at("r.tap")).unwrap();
    assert!(tap.contains("\nnot ok 1 - g/uneven [rust]\n"), "{tap}");
    assert!(tap.contains("\n  severity: \"flaky\"\n") && tap.ends_with("\n1..1\n"), "{tap}");
}

#[tokio::test]
async fn what_never_passes_is_tried_so_often_and_has_failed() {
    let (mut suite, client) = uneven(&[1, 2, 3, 4]).await;
    suite.settings.again = Again::Retries(2);
    let (summary, report) = suite.run().await;
    assert_eq!((summary.failed, summary.flaky), (1, 0), "{report}");
    assert_eq!(client.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_attempt_that_is_not_the_last_leaves_nothing_for_review() {
    let (mut suite, _) = uneven(&[]).await;
    std::fs::write(
        suite.golden("g/uneven.toml"),
        "description = \"d\"\n[[step]]\ncall = \"fake.word\"\n",
    )
    .unwrap();
    let differs = Arc::new(Uneven { bad: &[1, 2], calls: AtomicUsize::new(0) });
    suite.settings.clients[0].client = Client::InProcess(differs);
    suite.settings.again = Again::Retries(1);
    let (summary, _) = suite.run().await;
    assert_eq!(summary.failed, 1);
    assert!(suite.golden("g/uneven.snap.new").exists(), "the last attempt's is for review");
    suite.settings.again = Again::Retries(2);
    let (summary, _) = suite.run().await;
    assert_eq!((summary.passed, summary.flaky), (1, 0), "its first attempt passes");
    let differs = Arc::new(Uneven { bad: &[1], calls: AtomicUsize::new(0) });
    suite.settings.clients[0].client = Client::InProcess(differs);
    let (summary, _) = suite.run().await;
    assert_eq!(summary.flaky, 1);
    assert!(!suite.golden("g/uneven.snap.new").exists());
}

#[tokio::test]
async fn rounds_count_how_often_a_run_passes() {
    let (mut suite, _) = uneven(&[2]).await;
    suite.settings.again = Again::Rounds(4);
    let (summary, report) = suite.run().await;
    assert_eq!((summary.runs, summary.passed, summary.failed), (4, 3, 1), "{report}");
    assert!(report.contains("g/uneven [rust] #2"), "{report}");
    assert!(report.contains("g/uneven [rust]: 3 of 4 rounds passed"), "{report}");
}

#[tokio::test]
async fn expressions_and_shards_choose() {
    let step = "[[step]]\ncall = \"fake.word\"\n";
    let tagged = format!("tags = [\"slow\"]\n{step}");
    let mut suite = suite(&[("a/b", step), ("a/c", &tagged), ("d", step)]).await;
    suite.settings.clients.push(in_process("other", Fake("b")));
    let mut runs = |expression: &str, shard: Option<&str>| {
        suite.settings.filter = Filter {
            expression: Some(expression.parse().unwrap()),
            shard: shard.map(|shard| shard.parse().unwrap()),
            ..Filter::default()
        };
        let chosen = session::chosen(&suite.settings)?.fixtures;
        let runs = chosen.iter().flat_map(|fixture| {
            let clients = session::clients_of(&suite.settings, fixture);
            clients.map(|client| format!("{} {}", fixture.name, client.name))
        });
        Ok::<_, E2eError>(runs.collect::<Vec<_>>())
    };
    assert_eq!(
        runs("not tag(slow) and (client(other) or name(d))", None).unwrap(),
        ["a/b other", "d rust", "d other"]
    );
    assert_eq!(runs("client(rust)", Some("1/2")).unwrap(), ["a/b rust", "d rust"]);
    assert_eq!(runs("client(rust)", Some("2/2")).unwrap(), ["a/c rust"]);
    let error = runs("client(rust)", Some("4/4")).unwrap_err().to_string();
    assert_eq!(error, "no scenario matches: --filter 'client(rust)', --shard 4/4; suite small");
    assert!(matches!(runs("tag(none)", None), Err(E2eError::NothingChosen { .. })));
}

#[tokio::test]
async fn reports_are_files_that_are_opened_first() {
    let mut suite = suite(&[
        ("g/good", "[[step]]\ncall = \"fake.word\"\nreply = \"a\"\n"),
        ("g/bad", "[[step]]\ncall = \"fake.word\"\nreply = \"\\u001b[31mred\"\n"),
    ])
    .await;
    suite.settings.mode = Mode::Ci;
    assert!(Junit::create(Path::new("/nowhere/at/all.xml")).is_err());
    let (mut junit, mut json) =
        (Junit::create(&suite.at("r.xml")).unwrap(), Json::create(&suite.at("r.json")).unwrap());
    suite.run_for(&mut [&mut junit, &mut json]).await;
    let xml = std::fs::read_to_string(suite.at("r.xml")).unwrap();
    assert!(xml.contains("<testsuite name=\"g\" tests=\"2\""), "{xml}");
    assert!(xml.contains("g/bad [rust]") && !xml.contains('\u{1b}'), "{xml}");
    let document: Value =
        serde_json::from_slice(&std::fs::read(suite.at("r.json")).unwrap()).unwrap();
    assert_eq!(document["summary"]["runs"], 2);
    assert_eq!(document["runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_load_that_no_stream_stores_fails_soon_and_says_what_to_do() {
    // For longer than this test may take, one after the other.
    let load = |more: &str| {
        let load = "[[step]]\nsubmit = \"orders.new\"\nbody = { n = \"{{n}}\" }\nrepeat = 50\nconcurrency = 2\n";
        format!("{load}{more}")
    };
    let (calm, broken) = (load("rate = 100\n"), load("under = { restart-broker = 3 }\n"));
    let suite = suite(&[("calm", &calm), ("broken", &broken)]).await;
    let began = Instant::now();
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 2, "{report}");
    assert!(report.matches("no stream has the subject `orders.new`").count() >= 2, "{report}");
    assert!(report.contains("let a service make the stream"), "{report}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_step_that_repeats_ends_at_its_first_failure() {
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let step = format!(
        "[[step]]\nrun = [\"sh\", \"-c\", \"echo {{{{n}}}} >> {}; test {{{{n}}}} -lt 3\"]\nrepeat = 20\n",
        done.display()
    );
    let (summary, report) = suite(&[("a", &step)]).await.run().await;
    assert_eq!(summary.failed, 1, "{report}");
    assert!(report.contains("(repetition 3)"), "{report}");
    assert_eq!(std::fs::read_to_string(done).unwrap(), "1\n2\n3\n");
}
