//! Promises of services that know nothing of this program: kept, and broken in every way.

use crate::support::program::{Home, Said};

const WORKER: &str = include_str!("promises/worker.py");

const SUITE: &str = r#"
[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "ready" }

[promise.order]
operation = { submit = "orders.new" }
key = "/id"
effect = [
    { stream = "RECEIPTS", key = "/id" },
    { kv = "shipped" },
    { log = "worker", key = 'shipped (\S+)' },
    { file = "shipped.jsonl", key = "/id" },
    { subject = "shipped.*", key = "subject:2" },
    { command = ["{{python}}", "lines.py"], key = "/id" },
]
order = "/customer"
within = "4s"
final = { value = "/status", among = ["shipped", "refused"] }
"#;

const STEPS: &str = r#"
[[step]]
submit = "orders.new"
body = { id = "o-{{n}}", customer = "c-1" }
repeat = 4
"#;

/// A suite in which the worker is wrong in these ways, a scenario each.
fn suite(home: &Home, faults: &[&str]) {
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("worker.py"), WORKER).unwrap();
    // A program sees the run's folder in its environment, as services do.
    let lines = "import os\npath = os.environ['MONO_DEMO_DIR'] + '/shipped.jsonl'\n\
        print(open(path).read() if os.path.exists(path) else '')\n";
    std::fs::write(root.join("lines.py"), lines).unwrap();
    std::fs::write(root.join("suite.toml"), SUITE).unwrap();
    for fault in faults {
        let text = format!(
            "description = \"{fault}\"\n[services.worker]\nenv = {{ FAULT = \"{fault}\" }}\n{STEPS}"
        );
        std::fs::write(root.join(format!("scenarios/{fault}.toml")), text).unwrap();
    }
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    home.run(&[&["e2e", "suite"], args].concat())
}

#[test]
fn a_promise_that_is_kept_is_told_with_what_was_looked_at_and_judged_again() {
    let home = Home::new();
    suite(&home, &["none"]);
    let said = e2e(&home, &["--update", "--history", "kept"]);
    let told = said.ok();
    let figures = "promise order: 4 acknowledged, 4 done, 0 lost, 0 twice, 0 unasked";
    assert!(told.contains(figures), "{told}");
    let judged = home.run(&["history", "check", "kept"]).ok();
    assert!(judged.contains("promise order: once, stream RECEIPTS, bucket shipped"));
    assert!(judged.contains("(4 looked at)") && judged.contains(figures), "{judged}");
}

/// What the worker does wrong, and the sentence that tells it.
const WRONG: &[(&str, &str)] = &[
    ("lose", "`o-2` was acknowledged to rust (sequence 2), and is not in stream RECEIPTS"),
    ("twice", "`o-2` is 2 times in stream RECEIPTS, not once: RECEIPTS sequence 4 (receipts.o-2)"),
    ("unasked", "nobody asked for `o-99`: RECEIPTS sequence"),
    ("never-ends", "never came to an end: the last word is `packed` in RECEIPTS sequence 3"),
    ("changes", "`o-2` was `shipped` for good in RECEIPTS sequence 4 (receipts.o-2), and then"),
    ("swap", "`o-2` of `c-1` was acknowledged before `o-3` was asked for, and was done after it"),
    ("bucket-twice", "`o-2` is 2 times in bucket shipped, not once: bucket shipped, revision 2 of"),
    ("silent", "`o-2` was acknowledged to rust (sequence 2), and is not in log of worker"),
    ("no-line", "`o-2` was acknowledged to rust (sequence 2), and is not in file shipped.jsonl"),
    ("purges", "`o-1` was acknowledged to rust (sequence 1), and is not in stream RECEIPTS"),
];

#[test]
fn each_way_to_break_one_turns_its_scenario_red_with_the_evidence() {
    let home = Home::new();
    let faults: Vec<&str> = WRONG.iter().map(|(fault, _)| *fault).collect();
    suite(&home, &faults);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    for (fault, sentence) in WRONG {
        let red = said.stdout.lines().any(|line| line.starts_with(&format!("FAIL {fault} ")));
        assert!(red && said.stdout.contains(sentence), "{fault}\n{}", said.stdout);
    }
    let all = format!("{0} scenarios, {0} runs: 0 passed, {0} failed", WRONG.len());
    assert!(said.stdout.contains(&all), "{}", said.stdout);
}

/// A worker that neither does nor acknowledges one: `settle` says that something is in flight, and the
/// promise which operation has no effect.
#[test]
fn a_step_that_fails_hides_no_broken_promise() {
    let home = Home::new();
    suite(&home, &["stuck", "lose"]);
    let failing = |name: &str, step: &str| {
        let path = home.path().join(format!("suite/scenarios/{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}[[step]]\n{step}\n")).unwrap();
    };
    failing("stuck", "settle = true\nwithin = \"500ms\"");
    failing("lose", "request = \"nobody\"\nreply = 1");
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    for (first, sentence) in [
        (
            "error: not settled within 500ms",
            "`o-2` was acknowledged to rust (sequence 2), and is not",
        ),
        ("saw the error no_responders", "`o-2` was acknowledged to rust (sequence 2), and is not"),
    ] {
        let (_, after) = said.split_once(first).unwrap_or_else(|| panic!("{first}\n{said}"));
        let told = after.split("\nFAIL ").next().unwrap();
        assert!(told.contains("promise order: lost") || told.contains("order: once"), "{said}");
        assert!(told.contains(sentence), "{first}\n{said}");
    }
    // What is kept is no news beside a step that fails.
    suite(&home, &["none"]);
    failing("none", "request = \"nobody\"\nreply = 1");
    let said = e2e(&home, &["none", "--ci"]).failed(1, "").stdout;
    assert!(said.contains("saw the error no_responders") && !said.contains("; and "), "{said}");
}

/// Several such lines can be told apart, and a promise of the scenario's own has its place.
#[test]
fn a_broken_promise_is_named_with_its_key_where_it_stands() {
    let home = Home::new();
    suite(&home, &["lose", "own"]);
    let (file, own) =
        (home.path().join("suite/suite.toml"), home.path().join("suite/scenarios/own.toml"));
    let mine = "[promise.mine]\noperation = { submit = \"orders.new\" }\nkey = \"/id\"\n\
                effect = { kv = \"shipped\" }\nwithin = \"4s\"\n";
    let text = std::fs::read_to_string(&own).unwrap().replace("\"own\"", "\"lose\"");
    std::fs::write(&own, format!("{text}{mine}")).unwrap();
    let said = e2e(&home, &["lose", "--ci"]).failed(1, "").stdout;
    let (_, last) = said.split_once("what did not pass:\n").unwrap();
    assert!(
        last.starts_with("FAIL lose [rust]: promise order: ")
            && last.contains(": `o-2` was acknowledged"),
        "{said}"
    );
    assert!(!said.contains("lose.toml:1"), "no caret at what says nothing of it\n{said}");

    let suite = SUITE.split("[promise.order]").next().unwrap();
    std::fs::write(file, suite).unwrap();
    let said = e2e(&home, &["own", "--ci"]).failed(1, "").stdout;
    let line = 1 + text.lines().count();
    assert!(said.contains(&format!("--> suite/scenarios/own.toml:{line}:10")), "{said}");
    assert!(said.contains("promise mine: "), "{said}");
}

#[test]
fn a_promise_that_nothing_could_break_is_no_pass() {
    let home = Home::new();
    suite(&home, &["none"]);
    let own = "\n[promise.mine]\noperation = { submit = \"elsewhere\" }\nkey = \"/id\"\n\
        effect = { stream = \"RECEIPTS\", key = \"/id\" }\n";
    let path = home.path().join("suite/scenarios/none.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{own}")).unwrap();
    let said = e2e(&home, &["--ci"]).failed(1, "");
    let nothing = "no `submit elsewhere` was done: there is nothing to look at";
    assert!(said.stdout.contains(nothing), "{}", said.stdout);
}

/// Each run may leave a promise of the suite out; all of them together may not.
#[test]
fn a_promise_about_what_no_scenario_does_is_refused_before_anything_runs() {
    let home = Home::new();
    suite(&home, &["none"]);
    let path = home.path().join("suite/suite.toml");
    for (operation, meant) in [
        ("{ submit = \"orders.nwe\" }", "did you mean `{ submit = \"orders.new\" }`?"),
        ("{ request = \"orders.new\" }", "did you mean `{ submit = \"orders.new\" }`?"),
        ("{ call = \"shop.order\" }", "what a program of a `run` step does is not seen"),
    ] {
        let wrong = SUITE.replace("{ submit = \"orders.new\" }", operation);
        // Of a call, an argument.
        let wrong = match operation.contains("call") {
            true => wrong
                .replace("}\nkey = \"/id\"", "}\nkey = \"/kwargs/id\"")
                .replace("\"/customer\"", "\"/kwargs/customer\""),
            false => wrong,
        };
        std::fs::write(&path, wrong).unwrap();
        let said = e2e(&home, &["--ci"]).failed(2, "promise `order` of the suite is about `");
        assert!(said.stderr.contains(meant), "{}", said.stderr);
    }
}

/// The streams and buckets are there, and nobody works.
const IDLE: &str = r#"
[kv.shipped]
history = 5
[streams.ORDERS]
subjects = ["orders.>"]
[services.idle]
run = ["{{python}}", "idle.py"]
ready = { line = "ready" }
"#;

/// It makes streams for receipts and a copy of the orders, and does nothing.
const IDLER: &str = "
import asyncio, os, nats
from nats.js.api import StreamConfig, StreamSource
async def main():
    client = await nats.connect(os.environ['NATS_URL'], user=os.environ['NATS_USER'],
                                password=os.environ['NATS_PASSWORD'])
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name='RECEIPTS', subjects=['receipts.>']))
    await jetstream.add_stream(StreamConfig(name='COPY', sources=[StreamSource(name='ORDERS')]))
    print('ready', flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
";

/// A client that does the services' work would keep each promise.
#[test]
fn what_the_scenario_itself_puts_where_an_effect_is_looked_for_is_no_proof() {
    let home = Home::new();
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("idle.py"), IDLER).unwrap();
    std::fs::write(root.join("suite.toml"), IDLE).unwrap();
    let none = "";
    for (name, effect, step, why) in [
        (
            "copy",
            "stream = \"COPY\", key = \"/id\"",
            none,
            "stream COPY takes `orders.new`: there each",
        ),
        (
            "stream",
            "stream = \"RECEIPTS\", key = \"/id\"",
            "submit = \"receipts.o-1\"\nbody = { id = \"o-1\" }",
            "the scenario itself sends to `receipts.o-1`, which comes to stream RECEIPTS",
        ),
        (
            "filtered",
            "stream = \"RECEIPTS\", subject = \"receipts.*\", key = \"/id\"",
            "publish = \"receipts.o-1\"\nbody = { id = \"o-1\" }",
            "the scenario itself sends to `receipts.o-1`, which comes to stream RECEIPTS (receipts.*)",
        ),
        (
            "subject",
            "subject = \"shipped.*\", key = \"subject:2\"",
            "publish = \"shipped.o-1\"",
            "the scenario itself sends to `shipped.o-1`, which comes to subject shipped.*",
        ),
        (
            "bucket",
            "kv = \"shipped\"",
            "kv = { bucket = \"shipped\", put = \"o-1\" }\nbody = 1",
            "the scenario itself sends to `$KV.shipped.o-1`, which comes to bucket shipped",
        ),
    ] {
        let step = if step.is_empty() { String::new() } else { format!("[[step]]\n{step}\n") };
        let text = format!(
            "description = \"{name}\"\n[promise.order]\noperation = {{ submit = \"orders.new\" }}\n\
             key = \"/id\"\nwithin = \"1s\"\neffect = {{ {effect} }}\n\
             [[step]]\nsubmit = \"orders.new\"\nbody = {{ id = \"o-1\" }}\n{step}"
        );
        std::fs::write(root.join("scenarios/one.toml"), text).unwrap();
        let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
        assert!(said.contains(why), "{name}: {said}");
    }
}
