//! The commands as a person types them, wrong ones too.

use crate::support;
use crate::support::program::Home;
use serde_json::{Value, json};

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_call_with_no_server_starts_its_own_and_leaves_nothing() {
    let home = Home::new();
    for (args, printed) in [
        (vec!["call", "math", "add", "10", "5"], "15\n"),
        (vec!["call", "math", "subtract", "-10.5", "-1e1"], "-0.5\n"),
        (vec!["call", "math", "sqrt", "144"], "12\n"),
        (
            vec!["call", "payment", "status", "pay-001"],
            "pending    pay-001  Payment not found or not yet processed\n",
        ),
    ] {
        assert_eq!(home.run(&args).ok(), printed, "{args:?}");
    }
    let left: Vec<_> = home.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let home = Home::new();
    let serve = home.serve(&[
        "--port",
        "0",
        "--gateway",
        "id = \"bad\", outcome = \"decline\", reason = \"stolen card\"",
    ]);
    for (args, code, needle) in [
        (vec!["call", "math", "divide", "1", "0"], 4, "division by zero"),
        (vec!["call", "math", "sqrt", "-1"], 4, "square root of negative"),
        (
            vec!["call", "math", "modulo", "1", "2"],
            2,
            "\"modulo\" is not an operation; there are add,",
        ),
        (vec!["call", "math", "add", "1"], 2, "expected 2 numbers, got 1"),
        (vec!["call", "math", "add", "1", "two"], 2, "\"two\" is not a finite number"),
        (vec!["call", "math", "add", "1", "NaN"], 2, "not a finite number"),
        (
            vec!["call", "math", "calculate", "--data", "{}"],
            7,
            "400: request does not fit: missing field `operation`",
        ),
        (vec!["call", "math", "calculate", "--data", "@none.json"], 2, "open none.json"),
        (
            vec![
                "call",
                "math",
                "calculate",
                "--data",
                "{\"operation\":\"divide\",\"a\":1,\"b\":0}",
            ],
            4,
            "division by zero",
        ),
        (vec!["call", "services.*.x", "--data", "{}"], 2, "wildcard"),
        (vec!["call", "nobody", "home", "--data", "{}"], 5, "no responders"),
        (vec!["call", "nobody"], 2, "`mono-demo call --help` shows how"),
        (vec!["call", "payment", "status", "a.b"], 2, "field `payment_id`"),
        (vec!["call", "payment", "status"], 2, "expected one PAYMENT_ID"),
        (vec!["publish", "-J", "no.stream", "--data", "x"], 5, "no stream has this subject"),
        (
            vec!["publish", "notification", "email-send", "", "Hello"],
            2,
            "field `to` must not be empty",
        ),
        (vec!["publish", "notification", "email-send"], 2, "expected TO SUBJECT [BODY]"),
        (vec!["publish", "a b", "--data", "x"], 2, "white space"),
        (vec!["publish", "x", "--data", "x", "-H", "broken"], 2, "expected NAME:VALUE"),
        (vec!["pay", "pay 1", "9.99"], 2, "field `payment_id`"),
        (vec!["pay", "pay-1", "9.999"], 2, "has 3 decimals, and USD has 2"),
        (vec!["pay", "pay-1", "-1"], 2, "is not above 0"),
        (vec!["pay", "pay-1", "ten"], 2, "not a decimal number"),
        (vec!["pay", "pay-1", "1", "--currency", "usd"], 2, "field `currency`"),
        (vec!["pay", "pay-1", "1", "--timeout", "0s"], 2, "must be above 0"),
        (vec!["pay", "bad", "1"], 4, "stolen card"),
        (
            vec!["--server", "nats://127.0.0.1:1", "call", "math", "add", "1", "2"],
            8,
            "no NATS server answered",
        ),
        (vec!["--context", "../x", "call", "math", "add", "1", "2"], 2, "a context's name"),
        (vec!["--context", "none", "call", "math", "add", "1", "2"], 2, "NATS context \"none\""),
        (vec!["--user", "me", "call", "math", "add", "1", "2"], 2, "--user needs a server"),
        (vec!["--nats-server", "/none", "serve"], 3, "/none"),
        (vec!["serve", "--settings", "none.toml"], 2, "--settings none.toml"),
        (vec!["serve", "--gateway", "id = 5"], 2, "--gateway"),
        (vec!["serve", "--gateway", " "], 2, "an empty rule says nothing"),
        (vec!["frobnicate"], 2, "unrecognized subcommand"),
    ] {
        home.run(&args).failed(code, needle);
    }
    drop(serve);
}

/// Nothing is started, installed or prepared for any of these, and nothing is said in a parser's words.
#[test]
fn a_slip_is_told_in_plain_words_with_what_was_meant() {
    let home = Home::new();
    let whole = "expected a whole number from";
    for (args, needle) in [
        (vec!["call", "math"], "call math: name an operation; there are add, subtract,"),
        (vec!["call", "mth", "add", "1", "2"], "did you mean `call math add`?"),
        (vec!["call", "mth"], "there is no module \"mth\" here; there are math, payment"),
        (vec!["call", "services.math.calculate"], "a subject goes with a body, or with --data"),
        (vec!["call", "math", "dvide", "1", "2"], "did you mean `call math divide`?"),
        (vec!["call", "payment", "stauts", "p"], "did you mean `call payment status`?"),
        (vec!["call", "payment"], "name an operation; there is only status"),
        (vec!["publish", "notifications"], "did you mean `publish notification`?"),
        (vec!["publish", "notification", "email"], "there is only email-send"),
        (vec!["call", "--count", "x", "math"], whole),
        (vec!["call", "--count", "0", "math"], whole),
        (vec!["serve", "--port", "x"], whole),
        (vec!["serve", "--port", "65536"], "expected a whole number from 0 to 65535"),
        (vec!["serve", "--workers", "0"], whole),
        (vec!["serve", "--cluster", "2"], "expected a whole number from 3 to 5"),
        (vec!["e2e", "--jobs", "0"], whole),
        (vec!["e2e", "--repeat", "0"], whole),
        (vec!["e2e", "--retries", "x"], whole),
        (vec!["e2e", "--seed", "x"], "expected a whole number from 0 up"),
        (vec!["dlq", "show", "x"], whole),
        (vec!["dlq", "ls", "1", "x"], whole),
        (vec!["serve", "--gateway", "bogus"], "this is no rule: expected NAME = VALUE"),
        (vec!["serve", "--gateway", "nme = 1"], "unknown field `nme`, expected one of `id`"),
        (vec!["serve", "--mailer", "to ="], "this is no rule: expected NAME = VALUE"),
        (vec!["--log", "loud", "spec", "--asyncapi"], "error, warn, info, debug, trace"),
        (vec!["-s", "", "call", "math", "add", "1", "2"], "a value is required for '--server"),
        (vec!["--context=", "call", "math", "add", "1", "2"], "a value is required for"),
        (vec!["-s", " , ", "call", "math", "add", "1", "2"], "--server names no server"),
        (vec!["-s", "http://", "call", "math", "add", "1", "2"], "its scheme is none of nats://"),
        (vec!["-s", "nats://", "call", "math", "add", "1", "2"], "it has no host"),
        (vec!["-s", "h:port", "call", "math", "add", "1", "2"], "no port"),
        (vec!["--context", "none", "call", "math", "add", "1", "2"], "nats/context/none.json"),
        (vec!["-s", "nats://h", "e2e"], "e2e: --server does nothing here"),
        (vec!["--creds", "x", "e2e", "--list"], "e2e: --creds does nothing here"),
        (vec!["--nkey", "x", "e2e", "--list"], "e2e: --nkey does nothing here"),
        (vec!["--timeout", "1s", "spec", "--asyncapi"], "spec: --timeout does nothing here"),
        (vec!["--user", "u", "driver", "rust"], "driver: --user does nothing here"),
        (vec!["e2e", "--list", "--report", "tap=x"], "cannot be used with"),
        (vec!["e2e", "my-suit"], "no scenario matches: my-suit"),
        (vec!["e2e", "--filter", "tag(nope)", "--list"], "matches: --filter 'tag(nope)'"),
        (vec!["e2e", "--tag", "fualt"], "did you mean `--tag fault`?"),
    ] {
        // Nothing is there that a broker or a client could be made of.
        let mut command = home.command(&args);
        command.env("PATH", home.path()).env("XDG_CACHE_HOME", home.path().join("cache"));
        let said = support::program::Said::from(command.output().unwrap()).failed(2, needle);
        for jargon in ["invalid digit", "literal string", "installing", "skipping"] {
            assert!(!said.stderr.contains(jargon), "{args:?}: {}", said.stderr);
        }
    }
    let mut command = home.command(["e2e", "--list"]);
    command.env("PATH", home.path()).env("XDG_CACHE_HOME", home.path().join("cache"));
    let listed = support::program::Said::from(command.output().unwrap()).ok();
    assert!(listed.lines().count() > 20, "{listed}");
    let cached = home.path().join("cache/mono-demo");
    let names = cached.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().all(|n| n.starts_with("suite-") || n == "install.lock"), "{names:?}");
}

#[test]
fn one_of_a_thing_is_no_plural() {
    let home = Home::new();
    let journals = home.path().join("journals");
    let _serve = home.serve(&["--port", "0", "--journal-dir", journals.to_str().unwrap()]);
    home.run(&["pay", "a", "5"]).ok();
    let said = home.run(&["audit"]).ok();
    assert!(said.contains(", 1 claim, 1 completed"), "{said}");
    assert!(said.contains("1 charge in"), "{said}");
    home.run(&["pay", "b", "1.5", "--currency", "JPY"]).failed(2, "has 1 decimal, and JPY has 0");
    assert!(home.run(&["publish", "x", "--data", "y"]).ok().contains(" 1 byte to x"));
}

#[test]
fn a_body_that_no_service_can_read_is_told() {
    let home = Home::new();
    let _serve = home.serve(&["--port", "0"]);
    let subject = "services.notification.email-send";
    let publish = |body| home.run(&["publish", subject, "--data", body]).failed(0, "").stderr;
    assert!(
        publish("{").contains(
            "the body is not JSON, and a service at services.notification.email-send reads"
        )
    );
    assert_eq!(publish("{}"), "");
    assert_eq!(home.run(&["publish", "x", "--data", "{"]).failed(0, "").stderr, "");
}

#[test]
fn whose_payment_it_is_goes_with_any_login() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let url = serve.url();
    home.run(&["pay", "a", "5", "--user", "u", "-s", &url, "--token", "t"]).ok();
    home.run(&["pay", "b", "5", "--user", "u", "-s", &url, "--password", "p"])
        .failed(2, "--password was named without the connection's --user");
}

#[test]
fn json_prints_one_object_also_for_an_error() {
    let home = Home::new();
    let _serve = home.serve(&["--port", "0"]);
    let reply = object(&home.run(&["--json", "call", "math", "add", "10", "5"]).ok());
    assert_eq!(reply, json!({"ok": true, "reply": {"operation": "add", "result": 15}}));
    let said =
        home.run(&["call", "math", "divide", "1", "0", "--json"]).failed(4, "division by zero");
    let error = json!({"kind": "domain", "code": 4, "message": "division by zero"});
    assert_eq!(object(&said.stdout), json!({"ok": false, "error": error}));
    let paid = object(&home.run(&["pay", "p", "1.50", "--user", "u", "--json"]).ok());
    assert_eq!(paid["status"]["status"], "completed");
    assert_eq!(paid["ack"]["stream"], "payment-requests");
    let ack = object(
        &home
            .run(&["publish", "-J", "services.payment.payment-process", "--data", "x", "--json"])
            .ok(),
    );
    assert_eq!(
        ack["ack"],
        json!({"stream": "payment-requests", "sequence": 2, "duplicate": false})
    );
    let queued = object(
        &home.run(&["publish", "notification", "email-send", "a@example.com", "Hi", "--json"]).ok(),
    );
    assert_eq!(queued, json!({"ok": true, "queued": 1}));
}

#[test]
fn the_same_payment_twice_is_charged_once_and_other_content_is_a_conflict() {
    let home = Home::new();
    let journals = home.path().join("journals");
    let _serve = home.serve(&["--port", "0", "--journal-dir", journals.to_str().unwrap()]);
    let first = home.run(&["pay", "pay-001", "9.99"]).ok();
    assert!(
        first.ends_with("completed  pay-001  9.99 USD  Payment processed successfully\n"),
        "{first}"
    );
    let second = home.run(&["pay", "pay-001", "9.99"]).ok();
    assert!(second.starts_with("accepted   pay-001  9.99 USD (submitted before)\n"), "{second}");
    home.run(&["pay", "pay-001", "10.00"]).failed(4, "submitted before with other content");
    home.run(&["pay", "pay-001", "9.99", "--user", "other"])
        .failed(4, "submitted before with other content");
    assert_eq!(
        home.run(&["pay", "pay-002", "5", "--no-wait"]).ok(),
        "accepted   pay-002  5.00 USD\n"
    );
    let journal = std::fs::read_to_string(journals.join("gateway.jsonl")).unwrap();
    let charges = journal.lines().filter(|line| object(line)["key"] == "pay-001").count();
    assert_eq!(charges, 1, "{journal}");
}

#[test]
fn data_comes_from_a_file_or_stdin_and_headers_go_along() {
    let home = Home::new();
    let _serve = home.serve(&["--port", "0"]);
    std::fs::write(home.path().join("r.json"), r#"{"operation":"add","a":1,"b":2}"#).unwrap();
    let reply =
        home.run(&["call", "services.math.calculate", "--data", "@r.json", "-H", "Trace:1"]).ok();
    assert_eq!(reply, "{\"result\":3,\"operation\":\"add\"}\n");
    let mut command = home.command(["call", "math", "calculate", "--data", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), br#"{"operation":"sqrt","a":9}"#)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"{\"result\":3,\"operation\":\"sqrt\"}\n");
}

#[test]
fn help_lists_the_services_and_the_exit_codes() {
    let home = Home::new();
    let help = home.run(&["--help"]).ok();
    assert!(help.contains("5    no responders"), "{help}");
    let help = home.run(&["call", "--help"]).ok();
    for line in ["math sqrt A", "payment status PAYMENT_ID"] {
        assert!(help.contains(line), "{help}");
    }
    let help = home.run(&["pay", "--help"]).ok();
    assert!(help.contains("The payer"), "{help}");
}

#[test]
fn scenarios_are_chosen_by_path_folder_and_name() {
    let home = Home::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let listed = |args: &[&str]| {
        let mut command = home.command(["e2e", "--list", "--client", "rust"]);
        let said = command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        support::program::Said::from(said)
    };
    let count = |args: &[&str]| listed(args).ok().lines().count();
    let all = count(&[]);
    assert!(all >= 20, "{all}");
    assert_eq!(count(&["fixtures/payment/broker-killed.toml"]), 1);
    assert_eq!(count(&["payment/broker-killed"]), 1);
    assert!(count(&["broker-killed"]) > 1);
    let folder = count(&["fixtures/math"]);
    assert!(folder > 5 && folder < all, "{folder}");
    assert_eq!(
        count(&[&format!("{fixtures}/math/operations.toml"), "fixtures/payment/"]),
        1 + count(&["fixtures/payment"])
    );
    assert_eq!(count(&["fixtures"]), all);
    listed(&["no-such-scenario"]).failed(2, "no scenario matches: no-such-scenario");
    listed(&["Cargo.toml"]).failed(2, "Cargo.toml is not below the folder of fixtures");
}

#[test]
fn dead_letters_are_listed_shown_replayed_and_purged_and_nothing_is_charged_twice() {
    let home = Home::new();
    let journals = home.path().join("journals");
    let _serve = home.serve(&["--port", "0", "--journal-dir", journals.to_str().unwrap()]);
    home.run(&["pay", "p", "5"]).ok();
    let submit = ["publish", "-J", "services.payment.payment-process", "--data"];
    let listed = || object(&home.run(&["dlq", "ls", "--json"]).ok())["dead_letters"].clone();
    let settled = |count: usize| {
        support::eventually(
            "the dead letters are there",
            std::time::Duration::from_secs(10),
            || listed().as_array().unwrap().len() == count,
        );
    };
    home.run(&[&submit[..], &[r#"{"payment_id":"p","amount":6}"#]].concat()).ok();
    // A conflict takes longer to find than junk: it is to be the first.
    settled(1);
    home.run(&[&submit[..], &["junk \u{1b}[31m"]].concat()).ok();
    settled(2);
    let text = home.run(&["dlq", "ls"]).ok();
    assert!(text.contains("     1  conflict ") && text.contains("     2  malformed"), "{text}");
    assert!(text.ends_with("2 of 2 dead letters\n") && !text.contains('\u{1b}'), "{text:?}");
    let shown = home.run(&["dlq", "show", "1"]).ok();
    assert!(shown.contains("Mono-Dead-Letter-Deliveries: 1"), "{shown}");
    assert!(shown.ends_with("{\"payment_id\":\"p\",\"amount\":6}\n"), "{shown}");

    // Sent again twice, both come back: their reasons still hold.
    for _ in 0..2 {
        assert_eq!(home.run(&["dlq", "replay", "--all"]).ok().lines().count(), 2);
        settled(2);
    }
    assert!(home.run(&["call", "payment", "status", "p"]).ok().contains("5.00 USD"));
    let journal = std::fs::read_to_string(journals.join("gateway.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 1, "{journal}");

    home.run(&["dlq", "purge", "--kind", "malformed"]).ok();
    assert_eq!(listed().as_array().unwrap().len(), 1);
    home.run(&["dlq", "purge"]).failed(2, "name dead letters by number, by --kind, or --all");
    home.run(&["dlq", "show", "99"]).failed(2, "there is no dead letter 99");
    home.run(&["dlq", "purge", "99"]).failed(2, "there is no dead letter 99");
}

#[test]
fn an_audit_names_what_streams_and_journal_do_not_agree_on() {
    let home = Home::new();
    let journals = home.path().join("journals");
    let _serve = home.serve(&["--port", "0", "--journal-dir", journals.to_str().unwrap()]);
    for id in ["a", "b", "c"] {
        home.run(&["pay", id, "5"]).ok();
    }
    let said = home.run(&["audit"]).ok();
    assert!(said.contains("3 completed") && said.ends_with("consistent\n"), "{said}");

    // The books lose one charge, have one of another amount, and one twice.
    let path = journals.join("gateway.jsonl");
    let lines: Vec<String> =
        std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let doctored =
        [lines[1].replace("5.00", "7.00"), lines[2].clone(), lines[2].clone(), String::new()];
    std::fs::write(&path, doctored.join("\n")).unwrap();
    let said = home.run(&["audit"]);
    for problem in [
        "payment `a` is completed and was never charged",
        "payment `b` was charged 7.00 and recorded with 5.00",
        "payment `c` was charged 2 times",
    ] {
        assert!(said.stdout.contains(problem), "{}", said.stdout);
    }
    let said = home.run(&["audit", "--json"]).failed(1, "");
    assert_eq!(object(&said.stdout)["audit"]["problems"].as_array().unwrap().len(), 3);
    home.run(&["audit", "--journal-dir", "nowhere"]).failed(3, "gateway.jsonl");
}

/// What a terminal would obey, and what would reverse a line.
const HOSTILE: &str = "a\u{1b}]0;owned\u{7}\u{1b}[2Jb\u{9b}31mc\u{202e}d";

#[track_caller]
fn harmless(what: &str, said: &support::program::Said) {
    for text in [&said.stdout, &said.stderr] {
        let bad = text.chars().find(|c| {
            c.is_control() && !matches!(c, '\n' | '\t') || ('\u{202a}'..='\u{202e}').contains(c)
        });
        assert!(bad.is_none(), "{what}: {bad:?} in {text:?}");
    }
}

#[test]
fn nothing_from_outside_reaches_a_terminal_raw() {
    let home = Home::new();
    let journals = home.path().join("journals");
    let rule = format!("id = \"bad\", outcome = \"decline\", reason = {HOSTILE:?}");
    let rule = rule.replace("\\u{1b}", "\\u001b").replace("\\u{7}", "\\u0007");
    let rule = rule.replace("\\u{9b}", "\\u009b").replace("\\u{202e}", "\\u202e");
    let args = ["--port", "0", "--journal-dir", journals.to_str().unwrap(), "--gateway", &rule];
    let serve = home.serve(&args);
    let json = serde_json::to_string(&json!({ "payment_id": HOSTILE, "amount": 5 })).unwrap();
    let with_header = format!("X-Trace:{}", "a b");
    for (args, code) in [
        (vec!["publish", "-J", "services.payment.payment-process", "--data", HOSTILE], 0),
        (vec!["publish", "-J", "services.payment.payment-process", "--data", &json], 0),
        (vec!["publish", "x", "--data", HOSTILE, "-H", &with_header], 0),
        (vec!["publish", "x", "--data", "x", "-H", &format!("A:{HOSTILE}")], 2),
        (vec!["publish", HOSTILE, "--data", "x"], 2),
        (vec!["call", "math", "calculate", "--data", HOSTILE], 7),
        (vec!["call", "math", HOSTILE, "1", "2"], 2),
        (vec!["call", HOSTILE], 2),
        (vec!["call", "payment", "status", HOSTILE], 2),
        (vec!["pay", HOSTILE, "1"], 2),
        (vec!["pay", "p", HOSTILE], 2),
        (vec!["pay", "bad", "1"], 4),
        (vec![HOSTILE], 2),
        (vec!["call", "--timeout", HOSTILE, "math"], 2),
        (vec!["--context", HOSTILE, "call", "math"], 2),
        (vec!["--server", HOSTILE, "call", "math", "add", "1", "2"], 2),
        (vec!["--nats-server", HOSTILE, "serve"], 3),
        (vec!["--log", HOSTILE, "call", "math", "add", "1", "2"], 2),
        (vec!["serve", "--settings", HOSTILE], 2),
        (vec!["serve", "--gateway", HOSTILE], 2),
        (vec!["e2e", HOSTILE, "--list"], 2),
        (vec!["e2e", "--fixtures", HOSTILE], 2),
        (vec!["audit", "--store-dir", HOSTILE], 2),
        (vec!["dlq", "ls", "--kind", HOSTILE], 2),
        (vec!["dlq", "show", HOSTILE], 2),
        (vec!["dlq", "ls"], 0),
        (vec!["dlq", "show", "1"], 0),
        (vec!["dlq", "show", "2"], 0),
        (vec!["driver", "check", "--", "printf", HOSTILE], 1),
        (vec!["driver", "check", "--", HOSTILE], 3),
        (vec!["doctor", "--nats-server", HOSTILE], 3),
    ] {
        let said = home.run(&args);
        harmless(&format!("{args:?}"), &said);
        said.failed(code, "");
    }
    // The gateway's books, as if somebody had written into them.
    let path = journals.join("gateway.jsonl");
    let books = std::fs::read_to_string(&path).unwrap();
    let line = books.lines().next().unwrap().replace("\"key\":\"bad\"", "\"key\":\"\\u001b[31mx\"");
    let line = line.replace("declined", "approved");
    std::fs::write(&path, format!("{line}\n{HOSTILE}\n")).unwrap();
    let said = home.run(&["audit"]);
    harmless("audit", &said);
    assert!(said.stdout.contains("was charged"), "{}", said.stdout);
    serve.signal("TERM");
    let (_, stdout, stderr) = serve.ended();
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{stderr:?}");
}

#[test]
fn a_failing_scenario_shows_hostile_values_harmlessly() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("fixtures")).unwrap();
    let hostile = "a\\u001b]0;owned\\u0007\\u001b[2Jb\\u009b31mc\\u202ed";
    let fixture = format!(
        "description = \"x\"\n\
         [[step]]\nrequest = \"services.math.calculate\"\ntext = \"{hostile}\"\nreply = {{ error = \"{hostile}\" }}\n"
    );
    std::fs::write(home.path().join("fixtures/a.toml"), fixture).unwrap();
    let program = format!(
        "description = \"y\"\n[[step]]\nrun = [\"printf\", '\\033]0;owned\\007\\033[2J']\nstdout = \"{hostile}\"\n"
    );
    std::fs::write(home.path().join("fixtures/b.toml"), program).unwrap();
    let said = home.run(&["e2e", "--client", "rust"]);
    harmless("e2e", &said);
    assert!(said.stdout.contains("FAIL a") && said.stdout.contains("FAIL b"), "{}", said.stdout);
    said.failed(1, "");
    std::fs::write(home.path().join("fixtures/a.toml"), "description = \"x\u{1b}[31m\u{202e}")
        .unwrap();
    let said = home.run(&["e2e"]);
    harmless("a broken fixture", &said);
    said.failed(2, "");
}

/// Puts something into the folder of fixtures.
type Prepare<'a> = &'a dyn Fn(&std::path::Path);

#[test]
fn a_suite_reads_plain_files_inside_its_folder_only() {
    let step = "[[step]]\nrequest = \"services.math.calculate\"\n";
    let cases: [(&str, &str, Prepare<'_>, i32, &str); 9] = [
        ("up", "../secret", &|_| {}, 2, "must be a file beside the fixture or below it"),
        ("absolute", "/etc/passwd", &|_| {}, 2, "must be a file beside the fixture or below it"),
        (
            "link",
            "body",
            &|f| std::os::unix::fs::symlink("/etc/passwd", f.join("body")).unwrap(),
            1,
            "leads out of the folder",
        ),
        (
            "folder",
            "body",
            &|f| std::fs::create_dir(f.join("body")).unwrap(),
            1,
            "not a plain file",
        ),
        ("pipe", "body", &|f| pipe(&f.join("body")), 1, "not a plain file"),
        (
            "large",
            "body",
            &|f| std::fs::File::create(f.join("body")).unwrap().set_len(65 << 20).unwrap(),
            1,
            "is larger than",
        ),
        ("fixture-pipe", "", &|f| pipe(&f.join("b.toml")), 2, "not a plain file"),
        (
            "fixture-link",
            "",
            &|f| std::os::unix::fs::symlink("/etc/passwd", f.join("b.toml")).unwrap(),
            2,
            "leads out of the folder",
        ),
        (
            "fixture-large",
            "",
            &|f| std::fs::write(f.join("b.toml"), "#".repeat(10 << 20)).unwrap(),
            2,
            "is larger than",
        ),
    ];
    for (name, body_file, prepare, code, needle) in cases {
        let home = Home::new();
        let folder = home.path().join("fixtures");
        std::fs::create_dir(&folder).unwrap();
        let body = match body_file {
            "" => "text = \"x\"\n".to_owned(),
            file => format!("body_file = \"{file}\"\n"),
        };
        std::fs::write(folder.join("a.toml"), format!("description = \"{name}\"\n{step}{body}"))
            .unwrap();
        prepare(&folder);
        let said = home.run(&["e2e", "--client", "rust"]);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains(needle), "{name}: {text}");
        assert!(!text.contains("root:"), "{name}: {text}");
        said.failed(code, "");
    }
    // Nested too deep for any reader.
    let home = Home::new();
    std::fs::create_dir(home.path().join("fixtures")).unwrap();
    let deep =
        format!("description = \"deep\"\nx = {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    std::fs::write(home.path().join("fixtures/a.toml"), deep).unwrap();
    home.run(&["e2e", "--client", "rust"]).failed(2, "a.toml");
}

#[test]
fn at_a_broker_of_its_own_nobody_listens_and_nothing_is_refused() {
    let home = Home::new();
    for flags in [&[][..], &["--confirm"]] {
        let said = home.run(&[&["publish", "x.y", "--data", "q"][..], flags].concat());
        let said = said.failed(5, "no responders: no service listens on this subject");
        assert!(!said.stderr.contains("Permissions"), "{}", said.stderr);
    }
    home.run(&["publish", "x.y", "-J", "--data", "q"]).failed(5, "x.y");
    home.run(&["call", "x.y", "--data", "q"]).failed(5, "no responders");
    let payment = r#"{"payment_id":"p-1","amount":"1.00"}"#;
    home.run(&["publish", "services.payment.payment-process", "--data", payment]).ok();
}

fn pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn doctor_says_how_to_get_what_is_missing() {
    let home = Home::new();
    let mut command = home.command(["doctor"]);
    command.env("PATH", home.path()).env("XDG_CACHE_HOME", home.path());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for how in ["brew install node", "brew install go", "optional: `e2e` leaves this client out"] {
        assert!(said.contains(how), "{said}");
    }
}

#[test]
fn where_nobody_listens_a_running_serve_says_what_it_has() {
    let home = Home::new();
    let alone = home.run(&["call", "services.foo.bar", "--data", "1"]);
    alone.failed(5, "the temporary broker has only math, notification, payment");
    let serve = home.serve(&["--port", "0"]);
    let has = format!("(pid {}) has only math, notification, payment", serve.pid());
    for args in [
        &["call", "greeter", "hello", "--data", "1"][..],
        &["call", "services.foo.bar", "--data", "1"],
        &["publish", "nobody.listens", "--confirm", "--data", "1"],
    ] {
        home.run(args).failed(5, &has);
    }
}
