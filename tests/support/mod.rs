//! What tests share: a reaper, a provisioned server, looking at /proc; the built program; a suite.

pub mod accounts;
pub mod answers;
pub mod bare_server;
pub mod certificates;
pub mod drivers;
pub mod expected;
pub mod jwt;
pub mod keeping;
pub mod own_suite;
pub mod page;
pub mod payments;
pub mod program;
pub mod raw;
pub mod receipts;
pub mod source;
pub mod stream_jobs;
pub mod suite;
pub mod talk;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mono_demo::process::Reaper;
use mono_demo::provision::{self, NatsServer};

/// The folder that all test runs share: what is installed there is installed once.
pub fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn reaper() -> Reaper {
    reaper_in(std::env::temp_dir())
}

pub fn reaper_in(root: impl Into<PathBuf>) -> Reaper {
    Reaper::new(env!("CARGO_BIN_EXE_mono-demo"), root)
}

/// A nats-server, from `PATH` or installed once.
pub async fn nats_server() -> NatsServer {
    let mut settings = provision::Settings::new(shared_cache());
    settings.path = std::env::var_os("PATH");
    provision::nats_server(&settings, &|line| eprintln!("{line}")).await.expect("a nats-server")
}

/// Makes a program that is no nats-server.
///
/// `cp` writes it: a file that this process had open for writing could not be run while another
/// thread's fork still has the descriptor ("Text file busy").
pub fn fake_nats_server(folder: &Path, script: &str) -> PathBuf {
    std::fs::create_dir_all(folder).expect("its folder");
    let text = folder.join("script");
    let path = folder.join("nats-server");
    std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).expect("the script");
    std::fs::set_permissions(&text, PermissionsExt::from_mode(0o755)).expect("its mode");
    copy(&text, &path);
    path
}

/// Makes a reaper that says that its program runs, and then hears nothing any more.
pub fn fake_reaper(folder: &Path) -> PathBuf {
    let path = folder.join("reaper");
    let text = "#!/usr/bin/env python3
import os, socket, sys, time
channel = socket.socket(socket.AF_UNIX)
channel.connect(sys.argv[sys.argv.index('--socket') + 1])
channel.sendall(f'started {os.getpid()}\\n'.encode())
time.sleep(1000)
";
    let script = folder.join("reaper.py");
    std::fs::write(&script, text).expect("the script");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode");
    copy(&script, &path);
    path
}

/// Copies a file or a folder.
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-R").arg(from).arg(to).status();
    assert!(status.expect("cp").success(), "cp {}", from.display());
}

/// Lets cargo be run by this command as from a shell.
///
/// `cargo test` tells a test about its package; ring's build script looks at that, and would build
/// ring, and all that needs it, anew.
pub fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
}

/// Sends a signal, as `TERM`, to a process.
#[track_caller]
pub fn send(signal: &str, pid: u32) {
    let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -{signal} {pid}");
}

/// A process that nothing but the test ends: killed when this is dropped, also by a test that fails.
pub struct Stray(pub u32);

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0.to_string()]).status();
    }
}

/// The pid of a process's parent.
#[track_caller]
pub fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let rest = stat.rsplit_once(") ").expect("a state").1;
    rest.split(' ').nth(1).expect("ppid").parse().expect("a pid")
}

/// Whether a process lives; a zombie does not.
pub fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The state letter in `/proc/PID/stat`, behind the name in parentheses.
pub fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The living processes whose command line contains `needle`.
pub fn processes_with(needle: &str) -> Vec<u32> {
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != std::process::id() && String::from_utf8_lossy(&line).contains(needle)
        })
        .filter(|pid| lives(*pid))
        .collect()
}

/// Waits until `done`, at most `limit`.
///
/// It looks again and again because processes that are not our children cannot be awaited.
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A second process that runs one `#[ignore]`d test of this binary, to be killed.
pub struct Helper {
    process: std::process::Child,
    /// What the helper told us: the words of its line that starts with `told`.
    pub told: Vec<String>,
}

impl Helper {
    /// Starts the helper `test` with `argument` and waits until it has told something.
    pub fn start(test: &str, argument: &Path) -> Helper {
        let mut process = Command::new(std::env::current_exe().expect("our own path"))
            .args(["--ignored", "--exact", "--nocapture", test])
            .env("MONO_DEMO_TEST_ARGUMENT", argument)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the helper");
        let stdout = BufReader::new(process.stdout.take().expect("its stdout"));
        let told = stdout
            .lines()
            .map_while(Result::ok)
            // libtest may have begun the line with the test's name.
            .find_map(|line| Some(line.split_once("told ")?.1.to_owned()))
            .expect("the helper tells something");
        let told = told.split_whitespace().map(str::to_owned).collect();
        Helper { process, told }
    }

    /// What the helper was given.
    pub fn argument() -> PathBuf {
        std::env::var_os("MONO_DEMO_TEST_ARGUMENT").expect("only to be run by another test").into()
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> std::process::ExitStatus {
        self.process.wait().expect("reap the helper")
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().expect("kill the helper");
        self.process.wait().expect("reap the helper");
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A free port that the system gives to nobody who does not ask for it by number: neither to a server
/// nor to a connection that is being made. So it is free still when its server is started again.
pub fn steady_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    const LEAST: u32 = 10_000;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
    // The default of Linux; a machine that gives away nearly all ports has to be lucky.
    let first: u32 = first.filter(|first| *first > LEAST).unwrap_or(32_768);
    loop {
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Another program of tests may run beside this one.
        let port = LEAST + (std::process::id() * 97 + u32::from(next)) % (first - LEAST);
        let port = u16::try_from(port).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
