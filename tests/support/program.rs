//! The program as a person runs it: its own home, the shared cache, no server named.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_cmd::assert::{Assert, OutputAssertExt};
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

use super::{processes_with, send, shared_cache};

/// A place where nothing else serves.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `mono-demo`, knowing only this home.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_under(&[], args)
    }

    /// The same, run by another program, as `setpriv` or `sh`.
    fn command_under<S: AsRef<OsStr>>(
        &self,
        runner: &[&str],
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let program = env!("CARGO_BIN_EXE_mono-demo");
        let mut command = Command::new(runner.first().copied().unwrap_or(program));
        if let [_, rest @ ..] = runner {
            command.args(rest).arg(program);
        }
        command.args(args);
        self.is_home_of(&mut command);
        command
    }

    /// A shell's command line, knowing only this home.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        self.is_home_of(&mut command);
        command
    }

    fn is_home_of(&self, command: &mut Command) {
        command.current_dir(self.path()).env("HOME", self.path());
        command.env("XDG_CACHE_HOME", shared_cache().parent().expect("its parent"));
        command.env("XDG_RUNTIME_DIR", self.path().join("run")).env("TMPDIR", self.path());
        for name in ["CONFIG", "STATE"] {
            command.env_remove(format!("XDG_{name}_HOME"));
        }
        for name in ["URL", "CONTEXT", "USER", "PASSWORD", "TOKEN", "CREDS", "NKEY", "TIMEOUT"] {
            command.env_remove(format!("NATS_{name}"));
        }
        for name in ["CI", "GITHUB_ACTIONS", "GITHUB_WORKSPACE", "RUST_LOG"] {
            command.env_remove(name);
        }
    }

    /// What runs for this home: `serve`, its brokers, reapers and keepers.
    pub fn processes(&self) -> Vec<u32> {
        processes_with(self.path().to_str().expect("UTF-8"))
    }

    /// The nats-servers among them.
    pub fn brokers(&self) -> Vec<u32> {
        let is_server = |pid: &u32| {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            exe.file_name().is_some_and(|name| name == "nats-server")
        };
        self.processes().into_iter().filter(is_server).collect()
    }

    pub fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().expect("the program starts"))
    }

    /// `mono-demo serve` on a temporary port, waited for.
    #[track_caller]
    pub fn serve(&self, args: &[&str]) -> Serve {
        self.try_serve(args).unwrap_or_else(|said| {
            panic!("serve ended before it was ready: {}", said.stderr);
        })
    }

    /// The same; what it said if it ends before it is ready.
    pub fn try_serve(&self, args: &[&str]) -> Result<Serve, Box<Said>> {
        self.try_serve_under(&[], args)
    }

    /// The same, run by another program, which it takes the place of.
    pub fn try_serve_under(&self, runner: &[&str], args: &[&str]) -> Result<Serve, Box<Said>> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ready = self.path().join(format!("ready-{n}.json"));
        // Not in the home: what is left in there is looked at.
        let stderr = tempfile::NamedTempFile::new().expect("a file for stderr");
        let file = stderr.reopen().expect("the same file");
        let mut command = self.command_under(runner, ["serve", "--ready-file"]);
        command.arg(&ready).args(args).stdout(Stdio::piped()).stderr(file);
        let child = command.spawn().expect("serve starts");
        let mut serve = Serve { child, ready, stderr };
        let limit = Duration::from_secs(60);
        let deadline = std::time::Instant::now() + limit;
        // A file that another process makes: there is nothing to wait on but its being there.
        while !serve.ready.exists() {
            if let Some(status) = serve.child.try_wait().expect("its status") {
                let (stdout, stderr) = serve.output();
                let (stdout, stderr) = (stdout.into_bytes(), stderr.into_bytes());
                let output = std::process::Output { status, stdout, stderr };
                return Err(Box::new(Said::from(output)));
            }
            assert!(std::time::Instant::now() < deadline, "serve is not ready after {limit:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(serve)
    }
}

/// What a run said.
pub struct Said {
    assert: Assert,
    pub stdout: String,
    pub stderr: String,
}

impl From<std::process::Output> for Said {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self { assert: output.assert(), stdout, stderr }
    }
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> String {
        self.assert.success();
        self.stdout
    }

    #[track_caller]
    pub fn failed(mut self, code: i32, needle: &str) -> Said {
        self.assert = self.assert.code(code).stderr(contains(needle));
        self
    }
}

/// A running `serve`; killed if the test forgets it.
pub struct Serve {
    child: Child,
    ready: PathBuf,
    stderr: tempfile::NamedTempFile,
}

impl Serve {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True while the ready file is there.
    pub fn is_ready(&self) -> bool {
        self.ready.exists()
    }

    /// What the ready file says.
    pub fn runtime(&self) -> Value {
        let text = std::fs::read(&self.ready).expect("the ready file");
        serde_json::from_slice(&text).expect("JSON")
    }

    pub fn url(&self) -> String {
        self.runtime()["url"].as_str().expect("a URL").to_owned()
    }

    /// What it has said on stderr so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("its stderr")
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub fn says(&self, limit: Duration, needle: &str) {
        let deadline = std::time::Instant::now() + limit;
        while !self.stderr().contains(needle) {
            let said = std::time::Instant::now() < deadline;
            assert!(said, "not said within {limit:?}: {needle}\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn signal(&self, name: &str) {
        send(name, self.pid());
    }

    /// Waits for the end and returns the exit code, stdout and stderr.
    pub fn ended(mut self) -> (Option<i32>, String, String) {
        let limit = Duration::from_secs(60);
        let deadline = std::time::Instant::now() + limit;
        while self.child.try_wait().expect("its status").is_none() {
            if std::time::Instant::now() >= deadline {
                let _ = self.child.kill();
                panic!("serve did not end within {limit:?}; it said {}", self.output().1);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let (stdout, stderr) = self.output();
        (self.child.wait().unwrap().code(), stdout, stderr)
    }

    fn output(&mut self) -> (String, String) {
        use std::io::Read;
        let mut out = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            let _ = stdout.read_to_string(&mut out);
        }
        (out, self.stderr())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
