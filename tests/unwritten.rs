//! Output that could not be written is no success; a closed pipe is no error.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::program::Home;
use crate::support::send;

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("/dev/full").into()
}

/// The exit code and what is on stderr, with stdout on a full device.
fn onto_full(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let output = home.command(args).stdout(full()).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn is_told(home: &Home, args: &[&str]) {
    let (code, stderr) = onto_full(home, args);
    assert_eq!(code, Some(3), "{args:?}: {stderr}");
    assert_eq!(stderr.matches("write to stdout: No space left on device").count(), 1, "{stderr}");
}

#[test]
fn a_full_device_is_told_once_by_commands_that_need_no_server() {
    let home = Home::new();
    for args in [
        &["--help"][..],
        &["--version"],
        &["help", "serve"],
        &["call", "--help"],
        &["spec", "--json-schema"],
        &["spec", "--asyncapi"],
        &["spec", "--asyncapi", "--json"],
        &["e2e", "--list"],
        &["e2e", "--list", "--json"],
        &["e2e", "schema"],
        &["driver", "schema"],
        &["driver", "protocol"],
        &["doctor", "--offline"],
    ] {
        is_told(&home, args);
    }
}

#[test]
fn a_full_device_is_told_once_by_commands_that_ask_a_server() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    for args in [
        &["call", "math", "add", "1", "2"][..],
        &["call", "math", "add", "1", "2", "--json"],
        &["call", "math", "calculate", "--data", r#"{"operation":"add","a":1,"b":2}"#],
        &["call", "payment", "status", "p"],
        &["pay", "p", "1", "--json"],
        &["pay", "p", "1"],
        &["publish", "notification", "email-send", "a@example.com", "Hello"],
        &["dlq", "ls"],
        &["audit"],
        &["audit", "--json"],
    ] {
        is_told(&home, args);
    }
    drop(serve);
}

#[test]
fn serve_ends_in_order_where_nobody_hears_that_it_is_ready() {
    for more in [&[][..], &["--json"]] {
        let home = Home::new();
        let mut command = home.command([&["serve", "--port", "0"], more].concat());
        let child = command.stdout(full()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let (ended, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait_with_output().unwrap()));
        let output = wait.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
            send("KILL", pid);
            panic!("it serves on");
        });
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("stopped\n"), "in order: {stderr}");
        assert_eq!(stderr.matches("No space left on device").count(), 1, "{stderr}");
        assert_eq!(home.processes(), [] as [u32; 0]);
    }
}

#[test]
fn logs_that_follow_end_where_they_cannot_be_written() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    for more in [&[][..], &["--json"]] {
        let mut command = home.command([&["logs", "--follow"], more].concat());
        let child = command.stdout(full()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let (ended, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait_with_output().unwrap()));
        let output = wait.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| {
            send("KILL", pid);
            panic!("it follows on");
        });
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    drop(serve);
}

#[test]
fn an_error_keeps_its_code_on_a_full_device() {
    let home = Home::new();
    let (code, stderr) = onto_full(&home, &["call", "math", "divide", "1", "0", "--json"]);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("division by zero") && stderr.contains("No space left"), "{stderr}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let home = Home::new();
    for args in [
        &["spec", "--asyncapi"][..],
        &["--help"],
        &["e2e", "--list"],
        &["call", "math", "add", "1", "2"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = home.command(args).stdout(writer).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panic"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_closed_stdout_is_nobody_who_reads_and_harms_nothing() {
    let home = Home::new();
    let program = home.command([] as [&str; 0]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" call math add 1 2 >&-"]).arg(program.get_program());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.current_dir(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_report_or_a_judgement_on_a_full_device_is_told() {
    let home = Home::new();
    let run = ["e2e", "math/division-by-zero", "--client", "rust"];
    for kind in ["html", "junit", "json", "tap"] {
        let report = format!("{kind}=/dev/full");
        let said = home.run(&[&run[..], &["--report", &report]].concat());
        let said = said.failed(3, "cannot write the report /dev/full");
        assert!(said.stderr.contains("No space left on device"), "{kind}: {}", said.stderr);
    }
    is_told(&home, &run);
    home.run(&[&run[..], &["--history", "kept"]].concat()).ok();
    is_told(&home, &["history", "check", "kept"]);
    is_told(&home, &["history", "check", "kept", "--json"]);
}

/// A folder in which nobody can write, root by a mount of the folder onto itself.
struct ReadOnly<'a>(&'a Path);

impl<'a> ReadOnly<'a> {
    fn make(folder: &'a Path) -> Self {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o555)).unwrap();
        let mount = |args: &[&str]| {
            Command::new("mount").args(args).arg(folder).stderr(Stdio::null()).status()
        };
        let path = folder.to_str().unwrap();
        if mount(&["--bind", path]).is_ok_and(|status| status.success()) {
            assert!(mount(&["-o", "remount,bind,ro"]).unwrap().success());
        }
        Self(folder)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).stderr(Stdio::null()).status();
        let _ = std::fs::set_permissions(self.0, PermissionsExt::from_mode(0o755));
    }
}

#[test]
fn what_differs_is_told_also_where_nothing_can_be_kept_for_review() {
    let home = Home::new();
    let suite = home.path().join("suite/math");
    std::fs::create_dir_all(&suite).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/math");
    for name in ["division-by-zero.toml", "division-by-zero.snap"] {
        support::copy(&fixtures.join(name), &suite.join(name));
    }
    let golden = suite.join("division-by-zero.snap");
    let text = std::fs::read_to_string(&golden).unwrap();
    std::fs::write(&golden, text.replace("division by zero", "nothing")).unwrap();
    let _read_only = ReadOnly::make(&suite);
    let run = ["e2e", "--fixtures", "suite", "math/division-by-zero", "--client", "rust"];
    let said = home.run(&run);
    for words in
        ["the transcript differs from", "it is not kept for review: cannot write", "nothing"]
    {
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains(words), "{words}: {all}");
    }
    said.failed(1, "");
}

/// What is told beside the answer goes to stderr; that nobody can be told changes nothing.
#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let context = home.path().join("odd.json");
    std::fs::write(&context, format!("{{\"url\": \"{}\", \"odd\": 1}}", serve.url())).unwrap();
    let context = context.display().to_string();
    let args = ["--context", &context, "call", "math", "add", "1", "2"];
    let told = home.run(&args);
    assert!(told.stderr.contains("unknown fields are ignored"), "{}", told.stderr);
    let output = home.command(args).stderr(full()).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"3\n");
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_silent_end() {
    let home = Home::new();
    let free = home.command(["e2e", "new", "suite"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]);
    command.arg(free.get_program()).args(free.get_args()).current_dir(home.path());
    for (name, value) in free.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
}
