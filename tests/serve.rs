//! `serve`: what it prints, how it ends, what it keeps.

use std::time::Duration;

use crate::support;
use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Said};
use crate::support::{eventually, lives, send};

/// How many `serve` say where they are.
fn runtime_files(home: &Home) -> usize {
    home.path().join("run/mono-demo").read_dir().map_or(0, Iterator::count)
}

fn pay(home: &Home, id: &str) -> String {
    home.run(&["pay", id, "9.99"]).ok()
}

#[test]
fn settings_have_the_bounds_of_flags_in_their_words() {
    let home = Home::new();
    let nowhere = ["serve", "--server", "127.0.0.1:1"];
    for (workers, wrong) in [("0", true), ("257", true), ("1", false), ("256", false)] {
        let words = "expected a whole number from 1 to 256";
        let refused = |said: Said| match wrong {
            true => said.failed(2, words),
            // It gets as far as a server that is not there.
            false => said.failed(8, "127.0.0.1:1"),
        };
        refused(home.run(&[&nowhere[..], &["--workers", workers]].concat()));
        for module in ["math", "notification", "payment"] {
            let text = format!("[{module}]\nworkers = {workers}\n");
            std::fs::write(home.path().join("s.toml"), text).unwrap();
            refused(home.run(&[&nowhere[..], &["--settings", "s.toml"]].concat()));
        }
    }
    for (replicas, words) in [("0", "from 1 to 5, not 0"), ("-1", "not -1"), ("6", "not 6")] {
        let text = format!("[payment]\nreplicas = {replicas}\n");
        std::fs::write(home.path().join("s.toml"), text).unwrap();
        home.run(&[&nowhere[..], &["--settings", "s.toml"]].concat()).failed(2, words);
    }
    for (setting, words) in [
        ("ack_wait = \"0s\"", "must be above 0"),
        ("gateway_timeout = \"0ms\"", "must be above 0"),
        ("concurrency = 0", "expected a whole number from 1 to 4096, not 0"),
        ("concurrency = 100000000", "not 100000000"),
        ("max_deliver = 0", "expected a whole number from 1 up, not 0"),
        ("chance = { decline_percent = 200 }", "expected a whole number from 0 to 100, not 200"),
        ("chance = { unavailable_percent = 101 }", "from 0 to 100, not 101"),
    ] {
        std::fs::write(home.path().join("s.toml"), format!("[payment]\n{setting}\n")).unwrap();
        home.run(&[&nowhere[..], &["--settings", "s.toml"]].concat()).failed(2, words);
    }
    let most = "[payment]\nconcurrency = 4096\nmax_deliver = 9000000000\nack_wait = \"1ms\"\n\
                chance = { decline_percent = 100, unavailable_percent = 0 }\n";
    std::fs::write(home.path().join("s.toml"), most).unwrap();
    home.run(&[&nowhere[..], &["--settings", "s.toml"]].concat()).failed(8, "127.0.0.1:1");
}

#[test]
fn it_prints_the_registration_lines_first_and_ends_with_ready() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let url = serve.url();
    serve.signal("TERM");
    let (code, stdout, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "[math] Registered services: services.math.calculate",
            "[notification] Registered services: services.notification.email-send",
            "[payment] Registered services: services.payment.payment-process, services.payment.status",
            "Starting Mono application...",
        ]
    );
    assert!(lines.contains(&format!("export NATS_URL={url}").as_str()), "{stdout}");
    assert_eq!(lines.last().unwrap(), &format!("Ready: {url}"));
    assert!(url.starts_with("nats://127.0.0.1:"), "{url}");
}

#[test]
fn sigterm_and_ctrl_c_drain_and_leave_nothing() {
    for name in ["TERM", "INT"] {
        let home = Home::new();
        let serve = home.serve(&["--port", "0"]);
        pay(&home, "p");
        serve.signal(name);
        let (code, _, stderr) = serve.ended();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("draining") && stderr.ends_with("stopped\n"), "{stderr}");
        assert_eq!(home.processes(), [] as [u32; 0]);
        let left: Vec<_> = home
            .path()
            .read_dir()
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "run")
            .collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(runtime_files(&home), 0);
    }
}

#[test]
fn sigkill_leaves_no_process_and_no_folder() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    assert!(!home.processes().is_empty());
    serve.signal("KILL");
    eventually("everything of serve is gone", Duration::from_secs(60), || {
        let folders = home.path().read_dir().unwrap().filter_map(Result::ok);
        let left =
            folders.filter(|e| e.file_name().to_string_lossy().starts_with("mono-demo")).count();
        home.processes().is_empty() && left == 0
    });
    // The runtime file and the log are left, and do not mislead: the next call starts its own broker.
    assert_eq!(runtime_files(&home), 2);
    assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n");
}

#[test]
fn payments_are_kept_in_a_store_folder_across_a_kill() {
    let home = Home::new();
    let args = ["--port", "0", "--store-dir", "store"];
    let serve = home.serve(&args);
    pay(&home, "kept");
    serve.signal("KILL");
    serve.ended();
    let serve = home.serve(&args);
    let status = home.run(&["call", "payment", "status", "kept"]).ok();
    assert!(status.starts_with("completed  kept  9.99 USD"), "{status}");
    pay(&home, "kept");
    let journal =
        std::fs::read_to_string(home.path().join("store/journals/gateway.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 1, "charged once: {journal}");
    drop(serve);
}

#[test]
fn two_instances_on_an_existing_system_share_the_work_and_the_state() {
    let home = Home::new();
    let broker = home.serve(&["--port", "0"]);
    let url = broker.url();
    let second = home.serve(&["--server", &url, "--journal-dir", "books"]);
    assert_eq!(second.url(), url);
    for n in 0..5 {
        pay(&home, &format!("p-{n}"));
    }
    second.signal("TERM");
    let (code, stdout, stderr) = second.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("existing NATS system"), "{stdout}");
    for n in 0..5 {
        let status = home.run(&["call", "payment", "status", &format!("p-{n}")]).ok();
        assert!(status.starts_with("completed"), "{status}");
    }
    home.run(&["serve", "--server", &url, "--port", "0"])
        .failed(2, "--port is for a broker that serve starts");
}

#[test]
fn a_broker_that_dies_is_started_again_on_its_port_and_store() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    pay(&home, "before");
    let broker = home.brokers()[0];
    send("KILL", broker);
    eventually("the old broker is gone", Duration::from_secs(60), || !lives(broker));
    let url = serve.url();
    eventually("it serves again", Duration::from_secs(10), || {
        let said = home.run(&["--server", &url, "call", "payment", "status", "before"]);
        said.stdout.starts_with("completed")
    });
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("starting it again"), "{stderr}");
}

#[test]
fn a_taken_port_is_said_with_a_hint() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = home.run(&["serve", "--port", &port]).failed(3, "another process uses that port");
    assert!(said.stderr.contains("hint: --port 0"), "{}", said.stderr);
}

#[test]
fn a_cluster_serves_from_every_node_survives_one_and_leaves_nothing() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--cluster", "3"]);
    let url = serve.url();
    assert_eq!(url.split(',').count(), 3, "{url}");
    for one in url.split(',') {
        assert_eq!(home.run(&["--server", one, "call", "math", "add", "1", "2"]).ok(), "3\n");
    }
    // Found by its runtime file, whichever node answers.
    pay(&home, "kept");
    let before = home.brokers();
    assert_eq!(before.len(), 3);
    send("KILL", before[0]);
    eventually("the payment is still there", Duration::from_secs(30), || {
        let said = home.run(&["--server", &url, "call", "payment", "status", "kept"]);
        said.stdout.starts_with("completed")
    });
    eventually("three run again", Duration::from_secs(10), || {
        let now = home.brokers();
        now.len() == 3 && !now.contains(&before[0])
    });
    serve.signal("TERM");
    let (code, stdout, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("cluster of 3 nats-servers"), "{stdout}");
    assert!(stderr.contains("starting it again"), "{stderr}");
    assert_eq!(home.processes(), [] as [u32; 0]);
    home.run(&["serve", "--server", &url, "--cluster", "3"])
        .failed(2, "--cluster is for a broker that serve starts");
}

#[test]
fn of_two_the_first_is_still_found_when_the_second_has_stopped() {
    let home = Home::new();
    let first = home.serve(&["--port", "0"]);
    let second = home.serve(&["--port", "0"]);
    let said = home.run(&["call", "math", "add", "1", "2"]);
    assert!(said.stderr.contains("2 `serve` are running; this uses the newest"), "{}", said.stderr);
    assert!(said.stderr.contains(&second.url()), "{}", said.stderr);
    // What cannot be taken back is not done to whichever is newer.
    for command in ["purge", "replay"] {
        let said = home.run(&["dlq", command, "--all"]);
        said.failed(2, "dlq: 2 `serve` of yours are running");
        home.run(&["--server", &second.url(), "dlq", command, "--all"]).ok();
    }
    pay(&home, "second");
    second.signal("TERM");
    assert_eq!(second.ended().0, Some(0));
    pay(&home, "first");
    let said = home.run(&["--server", &first.url(), "call", "payment", "status", "first"]).ok();
    assert!(said.starts_with("completed"), "{said}");
}

#[test]
fn one_on_an_existing_system_is_found() {
    let broker = Home::new();
    let serve = broker.serve(&["--port", "0"]);
    let home = Home::new();
    let joined = home.serve(&["--server", &serve.url()]);
    let said = home.run(&["pay", "p", "1"]);
    assert!(!said.stderr.contains("temporary"), "{}", said.stderr);
    said.ok();
    drop(joined);
}

#[test]
fn a_stranger_on_the_port_of_one_that_lives_is_not_paid() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let path = home.path().join(format!("run/mono-demo/serve-{}.json", serve.pid()));
    // Another broker, whose `serve` does not know the secret, stands at the URL.
    let strangers = Home::new();
    let stranger = strangers.serve(&["--port", "0"]);
    let text = std::fs::read_to_string(&path).unwrap().replace(&serve.url(), &stranger.url());
    std::fs::write(&path, text).unwrap();
    let said = home.run(&["pay", "p", "1"]);
    assert!(
        said.stderr.contains("is not used: no program there answers for it"),
        "{}",
        said.stderr
    );
    said.failed(8, "a `serve` of yours is running, and cannot be used");
    let status = strangers.run(&["call", "payment", "status", "p"]).ok();
    assert!(status.starts_with("pending"), "the stranger was paid: {status}");
}

#[test]
fn nothing_is_done_elsewhere_while_serve_or_its_broker_is_paused() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    for paused in [home.brokers()[0], serve.pid()] {
        support::send("STOP", paused);
        for args in [&["pay", "p", "1"][..], &["call", "math", "add", "1", "2"]] {
            let said =
                home.run(args).failed(8, "a `serve` of yours is running, and cannot be used");
            assert_eq!(said.stdout, "");
        }
        support::send("CONT", paused);
        assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n");
    }
}

#[test]
fn audit_and_dlq_without_a_server_start_nothing() {
    let home = Home::new();
    for args in [&["audit"][..], &["dlq", "ls"]] {
        let said = home.run(args).failed(8, "no server is named and no `serve` is running");
        assert_eq!(said.stdout, "");
    }
}

#[test]
fn the_selected_context_is_used_where_nothing_else_names_a_server() {
    let elsewhere = Home::new();
    let serve = elsewhere.serve(&["--port", "0"]);
    let home = Home::new();
    let folder = home.path().join(".config/nats");
    std::fs::create_dir_all(folder.join("context")).unwrap();
    let file = serde_json::json!({ "url": serve.url() }).to_string();
    std::fs::write(folder.join("context/mine.json"), file).unwrap();
    std::fs::write(folder.join("context.txt"), "mine\n").unwrap();
    let said = home.run(&["pay", "p", "1"]);
    assert!(said.stderr.contains("using the NATS context mine"), "{}", said.stderr);
    said.ok();
    let status = elsewhere.run(&["call", "payment", "status", "p"]).ok();
    assert!(status.starts_with("completed"), "{status}");
    // A `serve` that runs is nearer.
    let near = home.serve(&["--port", "0"]);
    assert_eq!(home.run(&["call", "math", "add", "1", "2"]).stderr, "");
    drop(near);
}

#[test]
fn a_stale_ready_file_is_removed_before_the_start() {
    let home = Home::new();
    std::fs::write(home.path().join("ready"), "{}").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    home.run(&["serve", "--port", &port, "--ready-file", "ready"]).failed(3, "uses that port");
    assert!(!home.path().join("ready").exists());
}

#[test]
fn a_ready_file_in_a_folder_that_is_not_there_is_refused_and_makes_none() {
    let home = Home::new();
    let refused = home.run(&["serve", "--port", "0", "--ready-file", "a/b/ready"]);
    refused.failed(2, "--ready-file: there is no folder ");
    assert!(!home.path().join("a").exists());
}

#[test]
fn a_ready_file_that_is_a_device_or_a_folder_is_refused_and_stays() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("folder")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(home.path().join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    for path in ["folder", "pipe"] {
        home.run(&["serve", "--port", "0", "--ready-file", path]).failed(3, "a device or a folder");
        assert!(home.path().join(path).symlink_metadata().is_ok_and(|found| !found.is_file()));
    }
}

#[test]
fn a_second_serve_says_which_variable_made_it_join() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let mut second = home.command(["serve", "--ready-file", "second"]);
    second.env("NATS_URL", serve.url()).stderr(std::process::Stdio::piped());
    let second = second.stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually("it serves", Duration::from_secs(30), || home.path().join("second").exists());
    let pid = second.id().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    let stderr = String::from_utf8(second.wait_with_output().unwrap().stderr).unwrap();
    assert!(stderr.contains("because NATS_URL names it"), "{stderr}");
}

#[tokio::test]
async fn publish_with_confirm_says_where_nobody_listens() {
    let home = Home::new();
    let _serve = home.serve(&["--port", "0"]);
    let publish = |subject: &str| {
        home.run(&["publish", subject, "--data", "{}", "--confirm", "--timeout", "1s"])
    };
    publish("nobody.there").failed(5, "no responders");
    publish("services.math.calculate").ok();
    home.run(&["publish", "nobody.there", "--data", "{}"]).ok();
    let email = ["publish", "notification", "email-send", "a@example.com", "Hello", "--confirm"];
    assert_eq!(home.run(&email).ok(), "queued  Hello to a@example.com\n");
    // A broker without services: the named form tells as the raw one does, and without is quiet.
    let alone = BareServer::start(home.path(), "alone", "").await;
    let there = |args: &[&str]| home.run(&[&["-s", &alone.nats], args].concat());
    there(&email).failed(5, "no responders");
    there(&[&email[..], &["--count", "2"]].concat()).failed(5, "no responders");
    there(&email[..5]).ok();
}

#[tokio::test]
async fn a_serve_that_the_environment_sends_elsewhere_says_which_variable_does() {
    let home = Home::new();
    let alone = BareServer::start(home.path(), "alone", "").await;
    let contexts = home.path().join(".config/nats/context");
    std::fs::create_dir_all(&contexts).unwrap();
    let context = serde_json::json!({ "url": alone.nats });
    std::fs::write(contexts.join("mine.json"), context.to_string()).unwrap();
    let serve = |variable: &str, value: &str| {
        let mut command = home.command(["serve", "--journal-dir", "j"]);
        Said::from(command.env(variable, value).output().unwrap())
    };
    for (variable, value, code) in [
        // It goes as far as JetStream, which is not there.
        ("NATS_URL", alone.nats.as_str(), 3),
        ("NATS_CONTEXT", "mine", 3),
        // What a `serve` that is gone had said to export.
        ("NATS_URL", "nats://u:secret@127.0.0.1:1", 8),
    ] {
        let said = serve(variable, value).failed(code, &format!("because {variable} names it"));
        assert!(said.stderr.contains(&format!("`env -u {variable} mono-demo serve`")));
        assert!(!said.stderr.contains("secret"), "{}", said.stderr);
    }
}
