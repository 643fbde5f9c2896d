//! `status`, `stop` and `logs` of a running `serve`, and what they never touch.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::bare_server::BareServer;
use crate::support::program::Home;

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The files of running `serve` processes.
fn runtime(home: &Home) -> Vec<PathBuf> {
    let entries = home.path().join("run/mono-demo").read_dir().unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn without_a_serve_each_says_so() {
    let home = Home::new();
    for args in [&["status"][..], &["stop"], &["stop", "--all"], &["logs"], &["logs", "--follow"]] {
        let said = home.run(args).failed(8, "no `serve` of yours is running");
        assert!(said.stderr.contains("hint: start one with `mono-demo serve`"), "{}", said.stderr);
    }
    for (args, needle) in [
        (&["status", "--server", "nats://h"][..], "status: --server does nothing here"),
        (&["stop", "--server", "nats://h"], "stop: --server does nothing here"),
        (&["logs", "--timeout", "1s"], "logs: --timeout does nothing here"),
        (&["stop", "--pid", "1", "--all"], "cannot be used with"),
        (&["stop", "--pid", "0"], "expected a whole number from 1"),
        (&["stop", "--pid", "-1"], "unexpected argument"),
        (&["logs", "--lines", "x"], "expected a whole number from 0"),
        (&["sotp"], "a similar subcommand exists: 'stop'"),
    ] {
        home.run(args).failed(2, needle);
    }
    assert!(home.path().read_dir().unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn a_serve_is_shown_read_and_ended() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let (pid, url) = (serve.pid(), serve.url());
    let text = home.run(&["status"]).ok();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        text.starts_with(&format!("serve (pid {pid}, mono-demo {version}) serves\n")),
        "{text}"
    );
    for needle in [
        "  since     20",
        "  services  math, notification, payment\n",
        "its own",
        "(temporary)",
        &url,
    ] {
        assert!(text.contains(needle), "{needle}: {text}");
    }
    let status = object(&home.run(&["status", "--json"]).ok());
    let one = &status["serve"][0];
    assert_eq!(status["ok"], true);
    assert_eq!((one["pid"].as_u64(), one["url"].as_str()), (Some(pid.into()), Some(&*url)));
    assert_eq!(one["services"], json!(["math", "notification", "payment"]));
    assert_eq!((&one["version"], &one["serves"]), (&json!(version), &json!(true)));
    assert_eq!(one["store"]["kept"], false);
    assert!(Path::new(one["store"]["folder"].as_str().unwrap()).is_dir(), "{one}");
    assert!(one["broker"]["version"].as_str().unwrap().starts_with("2."), "{one}");

    let log = home.run(&["logs"]).ok();
    assert!(log.lines().last().unwrap().ends_with(&format!("Z Ready: {url}")), "{log}");
    assert!(log.contains("[math] Registered services"), "{log}");
    assert_eq!(home.run(&["logs", "-n", "1"]).ok().lines().count(), 1);
    let lines = home.run(&["logs", "-n", "1", "--json"]).ok();
    assert!(object(&lines)["line"].as_str().unwrap().ends_with(&url), "{lines}");
    let broker = home.run(&["logs", "--broker", "-n", "1000"]).ok();
    assert!(broker.contains("Server is ready"), "{broker}");
    home.run(&["logs", "--pid", "1"]).failed(2, &format!("there is pid {pid} at {url}"));
    home.run(&["stop", "--pid", "1"]).failed(2, "no `serve` of yours has the pid 1");

    let mut follower = home.command(["logs", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with(&format!("Ready: {url}"))));
    assert_eq!(home.run(&["stop"]).ok(), format!("stopped  the `serve` at {url} (pid {pid})\n"));
    // It has ended, in order, when `stop` returns.
    assert!(!serve.is_ready());
    assert_eq!(serve.ended().0, Some(0));
    let rest: Vec<String> = lines.collect();
    assert!(rest.last().is_some_and(|line| line.ends_with(" stopped")), "{rest:?}");
    assert!(follower.wait().unwrap().success());
    assert!(runtime(&home).is_empty(), "{:?}", runtime(&home));
    home.run(&["status"]).failed(8, "no `serve` of yours is running");
}

#[test]
fn the_log_of_one_that_was_killed_is_there_until_the_next() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let (pid, url) = (serve.pid(), serve.url());
    serve.signal("KILL");
    assert_eq!(serve.ended().0, None);
    let ready = format!("Z Ready: {url}\n");
    let told = format!("note: the `serve` of pid {pid} was killed or crashed: its log remains\n");
    let pid = pid.to_string();
    for args in [&["logs"][..], &["logs", "--pid", &pid], &["logs", "--follow"]] {
        let said = home.run(args);
        assert_eq!(said.stderr, told, "{args:?}");
        assert!(said.stdout.ends_with(&ready), "{args:?}: {}", said.stdout);
        said.ok();
    }
    home.run(&["logs", "--broker"]).failed(2, "the log of its nats-server went with it");
    home.run(&["logs", "--pid", "1"]).failed(8, "no `serve` of yours is running");
    let next = home.serve(&["--port", "0"]);
    home.run(&["logs", "--pid", &pid]).failed(2, &format!("there is pid {}", next.pid()));
}

#[test]
fn the_help_of_stop_says_how_long_it_waits() {
    let help = Home::new().run(&["stop", "--help"]).ok();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("How long to wait for the end, as 500ms or 1m [default: 30s]"),
        "{help}"
    );
    assert!(!words.contains("NATS_TIMEOUT"), "{help}");
}

#[test]
fn of_several_none_is_ended_unless_it_is_named() {
    let home = Home::new();
    let (first, second) = (home.serve(&["--port", "0"]), home.serve(&["--port", "0"]));
    let (one, two) = (first.pid(), second.pid());
    let said = home.run(&["stop"]).failed(2, "stop: 2 `serve` of yours are running");
    assert!(said.stderr.contains(&one.to_string()) && said.stderr.contains(&two.to_string()));
    assert!(first.is_ready() && second.is_ready());
    assert_eq!(object(&home.run(&["status", "--json"]).ok())["serve"].as_array().unwrap().len(), 2);
    let newest = home.run(&["logs", "-n", "1"]).failed(0, "--pid names another");
    assert!(newest.stdout.contains(&second.url()), "{}", newest.stdout);
    home.run(&["stop", "--pid", &one.to_string()]).ok();
    assert_eq!(first.ended().0, Some(0));
    assert!(second.is_ready());
    let third = home.serve(&["--port", "0"]);
    let stopped = object(&home.run(&["stop", "--all", "--json"]).ok());
    assert_eq!(stopped["stopped"].as_array().unwrap().len(), 2, "{stopped}");
    assert_eq!((second.ended().0, third.ended().0), (Some(0), Some(0)));
}

#[test]
fn one_that_does_not_end_in_time_and_does_not_answer_is_told() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    serve.signal("STOP");
    let said = home.run(&["stop", "--timeout", "200ms"]).failed(6, "has not within 200ms");
    assert!(said.stderr.contains(&format!("kill -9 {}", serve.pid())), "{}", said.stderr);
    let status = home.run(&["status", "--json"]);
    let said = object(&status.stdout);
    assert_eq!(
        (&said["ok"], &said["serve"][0]["serves"]),
        (&json!(false), &json!(false)),
        "{said}"
    );
    assert!(said["serve"][0]["why_not"].as_str().is_some_and(|why| !why.is_empty()), "{said}");
    status.failed(8, "");
    // What it was asked it does when it can.
    serve.signal("CONT");
    assert_eq!(serve.ended().0, Some(0));
}

#[test]
fn one_that_does_not_end_holds_up_no_other() {
    let home = Home::new();
    let (older, newest) = (home.serve(&["--port", "0"]), home.serve(&["--port", "0"]));
    let url = older.url();
    // The newest is the first of the list.
    newest.signal("STOP");
    let said = home.run(&["stop", "--all", "--timeout", "8s", "--json"]);
    let said = said.failed(6, &format!("(pid {}) was asked to end", newest.pid()));
    let object = object(&said.stdout);
    assert_eq!((&object["ok"], &object["error"]["kind"]), (&json!(false), &json!("timeout")));
    assert_eq!(object["stopped"], json!([{ "pid": older.pid(), "url": url }]));
    assert_eq!(object["not_stopped"][0]["pid"], newest.pid());
    assert_eq!(older.ended().0, Some(0));
    newest.signal("CONT");
    assert_eq!(newest.ended().0, Some(0));
}

#[test]
fn a_killed_serve_is_not_there_and_its_log_goes_with_the_next() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    serve.signal("KILL");
    serve.ended();
    assert_eq!(runtime(&home).len(), 2, "{:?}", runtime(&home));
    home.run(&["status"]).failed(8, "no `serve` of yours is running");
    let next = home.serve(&["--port", "0"]);
    let names = runtime(&home).into_iter().map(|path| path.file_stem().unwrap().to_owned());
    let pid = format!("serve-{}", next.pid());
    assert!(names.clone().all(|name| name == *pid), "{:?}", names.collect::<Vec<_>>());
    home.run(&["stop"]).ok();
}

#[test]
fn a_log_is_swept_when_no_process_has_its_number_and_stays_while_one_has() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    serve.signal("KILL");
    let killed = serve.pid();
    serve.ended();
    let folder = home.path().join("run/mono-demo");
    let of = |pid: u32, end: &str| folder.join(format!("serve-{pid}.{end}"));
    // As after one that was killed before it was ready.
    let text = std::fs::read_to_string(of(killed, "json")).unwrap();
    std::fs::remove_file(of(killed, "json")).unwrap();
    std::fs::write(of(killed, "log.1"), "older\n").unwrap();
    // As of one that is starting, with the number of one that was killed.
    let mut starting = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut stale = object(&text);
    (stale["pid"], stale["started"]) = (json!(starting.id()), json!(7));
    std::fs::write(of(starting.id(), "json"), stale.to_string()).unwrap();
    for end in ["log", "log.1"] {
        std::fs::write(of(starting.id(), end), "a line\n").unwrap();
    }
    let _next = home.serve(&["--port", "0"]);
    assert!(!of(killed, "log").exists() && !of(killed, "log.1").exists(), "{:?}", runtime(&home));
    assert!(!of(starting.id(), "json").exists(), "{:?}", runtime(&home));
    assert!(of(starting.id(), "log").exists() && of(starting.id(), "log.1").exists());
    starting.kill().unwrap();
    starting.wait().unwrap();
    home.run(&["stop"]).ok();
}

#[test]
fn the_log_has_no_colours_where_the_terminal_has_them() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--log", "debug", "--color", "always"]);
    // A request that the service refuses is logged.
    home.run(&["call", "services.math.calculate", "nonsense"]);
    let log = home.run(&["logs", "-n", "100000"]).ok();
    home.run(&["stop"]).ok();
    let (_, _, stderr) = serve.ended();
    assert!(stderr.contains("\x1b[2m"), "{stderr}");
    assert!(log.contains("DEBUG"), "{log}");
    assert!(!log.contains(['\x1b', '\u{FFFD}']), "{log}");
}

/// A file that says that another user's process is a `serve` of ours.
#[test]
fn a_process_of_another_user_is_never_ended() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let mut other = std::process::Command::new("setpriv");
    other.args(["--reuid", "65534", "--clear-groups", "sleep", "1000"]);
    let mut other = other.spawn().unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", other.id())).unwrap();
    while !stat().contains("(sleep)") {
        std::thread::yield_now();
    }
    let started: u64 =
        stat().rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let folder = home.path().join("run/mono-demo");
    let own = std::fs::read_to_string(folder.join(format!("serve-{}.json", serve.pid()))).unwrap();
    let mut said = object(&own);
    (said["pid"], said["started"]) = (json!(other.id()), json!(started));
    said["since_ms"] = json!(said["since_ms"].as_u64().unwrap() + 1);
    std::fs::write(folder.join(format!("serve-{}.json", other.id())), said.to_string()).unwrap();
    let pid = other.id().to_string();
    home.run(&["stop", "--pid", &pid]).failed(3, &format!("process {pid} is another user's"));
    // Nor does it hold up the end of what is ours, which comes after it in the list.
    let all = home.run(&["stop", "--all", "--json"]).failed(3, "is another user's");
    let all = object(&all.stdout);
    assert_eq!(all["stopped"][0]["pid"], serve.pid(), "{all}");
    assert_eq!(all["not_stopped"][0]["pid"], other.id(), "{all}");
    assert!(other.try_wait().unwrap().is_none(), "it lives");
    other.kill().unwrap();
    other.wait().unwrap();
}

/// As a gateway's token is: it is shown to the server alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_url_is_shown_nowhere() {
    let home = Home::new();
    let config = format!("jetstream {{ store_dir: {:?} }}", home.path().join("js"));
    let server = BareServer::start(home.path(), "server", &config).await;
    let url = format!("{}/?key=secret", server.websocket);
    let serve =
        tokio::task::block_in_place(|| home.serve(&["--server", &url, "--save-context", "c"]));
    let status = home.run(&["--json", "status"]).ok();
    assert_eq!(object(&status)["serve"][0]["serves"], true, "{status}");
    let doctor = home.run(&["--json", "doctor"]);
    let told = [serve.runtime().to_string(), status, doctor.stdout, doctor.stderr];
    // Also where nothing answers any more.
    drop(server);
    let silent = home.run(&["--json", "status"]).failed(8, "");
    let named = home.run(&["-s", &url, "call", "math", "add", "1", "2"]).failed(8, "");
    let stop = home.run(&["--json", "stop"]).ok();
    let (_, stdout, stderr) = serve.ended();
    let after = [silent.stdout, silent.stderr, named.stdout, named.stderr, stop, stdout, stderr];
    for told in told.iter().chain(&after) {
        assert!(!told.contains("secret") && !told.contains("?key"), "{told}");
    }
}
