//! What somebody who knows nothing yet is told: early, once, and what to do instead.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use crate::support::program::Home;
use crate::support::{eventually, send};

#[test]
fn a_runtime_folder_that_cannot_be_written_is_told_before_anything_is_started() {
    let home = Home::new();
    std::fs::write(home.path().join("file"), "").unwrap();
    let mut command = home.command(["serve", "--port", "0", "--store-dir", "store"]);
    let output = command.env("XDG_RUNTIME_DIR", home.path().join("file")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("error: serve: use the runtime folder "), "{stderr}");
    assert!(stderr.contains("serve --unlisted"), "{stderr}");
    assert!(!home.path().join("store").exists(), "a broker was started");
}

#[test]
fn what_another_command_is_for_is_named() {
    let home = Home::new();
    for (args, pattern, hint) in [
        (
            &["call", "notification", "email-send", "a@example.com", "b"][..],
            "call notification email-send: emails are published to a queue group, and nobody replies",
            "`mono-demo publish notification email-send TO SUBJECT [BODY]`",
        ),
        (&["publish", "math", "add", "1", "2"], "request-reply", "`mono-demo call math add 1 2`"),
        (&["publish", "payment", "status", "p"], "request-reply", "call payment status PAYMENT_ID"),
        (
            &["publish", "payment", "p", "1"],
            "stored in a stream",
            "`mono-demo pay PAYMENT_ID AMOUNT`",
        ),
        (&["call", "payment", "payment-process"], "stored in a stream", "`mono-demo pay "),
    ] {
        let said = home.run(args).failed(2, pattern);
        assert!(said.stderr.contains(hint), "{args:?}: {}", said.stderr);
    }
    let said = home.run(&["e2e", "./nope-dir"]).failed(2, "there is no file or folder ./nope-dir");
    assert!(said.stderr.contains("e2e new"), "{}", said.stderr);
    home.run(&["-s", "http://127.0.0.1:1", "call", "math", "add", "1", "2"])
        .failed(2, "http:// is that of a web server");
}

#[test]
fn help_shows_how_to_connect_only_where_that_does_something() {
    let home = Home::new();
    for command in ["e2e", "history", "driver", "spec"] {
        let help = home.run(&[command, "--help"]).ok();
        for flag in ["--server", "--creds", "--tlsca"] {
            assert!(!help.contains(flag), "{command}: {help}");
        }
        assert!(help.contains("--json"), "{command}: {help}");
    }
    assert!(!home.run(&["history", "check", "--help"]).ok().contains("--server"));
    assert!(home.run(&["serve", "--help"]).ok().contains("--server"));
    assert!(home.run(&["--help"]).ok().contains("--server"));
    home.run(&["e2e", "--server", "nats://h"]).failed(2, "--server does nothing here");
    home.run(&["--server", "nats://h", "spec", "--accounts"])
        .failed(2, "--server does nothing here");
}

#[test]
fn a_submission_with_other_content_is_not_said_to_be_accepted() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    home.run(&["pay", "p-1", "1"]).ok();
    for args in [&["pay", "p-1", "2", "--no-wait"][..], &["pay", "p-1", "2"]] {
        let said = home.run(args).failed(4, "`p-1` was submitted before with other content");
        assert!(said.stderr.contains("that outcome stands: completed"), "{}", said.stderr);
        assert_eq!(said.stdout, "");
    }
    let again = home.run(&["pay", "p-1", "1", "--no-wait"]).ok();
    assert!(again.contains("(submitted before"), "{again}");
    drop(serve);
}

#[test]
fn a_serve_whose_output_nobody_reads_says_so_and_goes_on() {
    let home = Home::new();
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let mut command = home.command(["serve", "--port", "0", "--ready-file", "ready.json"]);
    command.stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
    let mut serve = command.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(serve.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let said = || std::fs::read_to_string(stderr.path()).unwrap();
    eventually("it says so", Duration::from_secs(60), || {
        said().contains("note: nobody reads the output of `serve` any more")
    });
    home.run(&["call", "math", "add", "1", "2"]).ok();
    send("TERM", serve.id());
    assert_eq!(serve.wait().unwrap().code(), Some(0), "{}", said());
    assert_eq!(said().matches("nobody reads").count(), 1, "{}", said());
    // Nobody is missed where the output is read, or is a file.
    let read = home.serve(&["--port", "0"]);
    home.run(&["call", "math", "add", "1", "2"]).ok();
    assert!(!read.stderr().contains("nobody reads"), "{}", read.stderr());
}

#[test]
fn a_store_that_is_in_use_says_by_whom() {
    let home = Home::new();
    let args = ["--port", "0", "--store-dir", "store", "--unlisted"];
    let serve = home.serve(&args);
    let said = home.try_serve(&args).err().expect("it is in use").failed(3, "is in use by process");
    let by = format!("process {}, which runs a broker on {}", serve.pid(), serve.url());
    assert!(said.stderr.contains(&by), "{by}: {}", said.stderr);
    drop(serve);
}

#[test]
fn a_cluster_is_refused_on_the_store_of_one_server_and_leaves_it_as_it_is() {
    let home = Home::new();
    let one = home.serve(&["--port", "0", "--store-dir", "store"]);
    home.run(&["pay", "p-1", "1"]).ok();
    one.signal("TERM");
    one.ended();
    let cluster = ["--port", "0", "--store-dir", "store", "--cluster", "3"];
    let said = home.try_serve(&cluster).err().expect("it is refused");
    let said = said.failed(3, "is that of a single server, not of a cluster");
    assert!(said.stderr.contains("start it without --cluster"), "{}", said.stderr);
    let audit = home.run(&["audit", "--store-dir", "store"]).ok();
    assert!(audit.contains("consistent"), "{audit}");
    drop(home.serve(&["--port", "0", "--store-dir", "store"]));
}

/// Whose streams would lie beside those of a single server.
#[test]
fn a_single_server_is_refused_on_the_store_of_a_cluster_and_leaves_it_as_it_is() {
    let home = Home::new();
    let cluster = ["--port", "0", "--store-dir", "store", "--cluster", "3"];
    let three = home.serve(&cluster);
    home.run(&["pay", "p-1", "1"]).ok();
    three.signal("TERM");
    three.ended();
    for more in [&[][..], &["--recreate"]] {
        let one = [&["--port", "0", "--store-dir", "store"], more].concat();
        let said = home.try_serve(&one).err().expect("it is refused");
        let said = said.failed(3, "is that of a cluster of 3 nodes, not of a single server");
        assert!(said.stderr.contains("--cluster 3"), "{}", said.stderr);
    }
    assert!(!home.path().join("store/jetstream").exists());
    let again = home.serve(&cluster);
    let audit = home.run(&["audit"]).ok();
    assert!(audit.contains("consistent") && audit.contains('1'), "{audit}");
    drop(again);
}

#[test]
fn a_refusal_is_told_once() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth"]);
    for args in
        [&["publish", "payments.ledger.x", "--data", "y"][..], &["call", "secret.x", "--data", "y"]]
    {
        let said = home.run(args).failed(8, "Permissions Violation");
        assert_eq!(said.stderr.matches("Permissions Violation").count(), 1, "{}", said.stderr);
    }
    drop(serve);
}

#[test]
fn a_service_that_is_not_ready_shows_what_was_seen_instead() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("suite/scenarios")).unwrap();
    let scenario = "description = \"x\"\n[[step]]\nrequest = \"a.b\"\ntext = \"x\"\nreply = 1\n";
    std::fs::write(home.path().join("suite/scenarios/x.toml"), scenario).unwrap();
    let program = env!("CARGO_BIN_EXE_mono-demo");
    for (run, ready, seen) in [
        (vec!["sleep", "100"], "subject = \"a.b\"", "no service is connected"),
        (
            vec![program, "serve", "--unlisted", "--journal-dir", "books"],
            "service = \"maths\"",
            "$SRV.PING is answered by math",
        ),
        (
            vec![program, "serve", "--unlisted", "--journal-dir", "books"],
            "subscribes = \"services.nope\"",
            "what services subscribe to is services.math.calculate",
        ),
        (vec!["sleep", "100"], "http = \"http://127.0.0.1:9/\"", "the last attempt: "),
    ] {
        let suite =
            format!("[services.a]\nrun = {run:?}\nready = {{ {ready} }}\nready_within = \"3s\"\n");
        std::fs::write(home.path().join("suite/suite.toml"), suite).unwrap();
        let said = home.run(&["e2e", "suite"]).failed(3, "");
        let told = said.stdout.clone() + &said.stderr;
        assert!(told.contains(seen), "{ready}: {told}");
    }
}
