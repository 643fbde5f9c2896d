//! Runs a page's commands as its reader would: one after the other, in one folder.
//!
//! A program that stays (`serve`, a service, `e2e --keep`) is left running once it has said what the
//! page shows, as in a shell of its own; Ctrl-C ends it when the page is over, or at the next one of
//! its kind. Three things are not as in a reader's shell: `serve` takes a port of its own, and
//! `127.0.0.1:4222` in a command is where it listens; `cargo` runs in the checkout; `python` is the
//! one with nats-py that mono-demo made.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::compare::difference;
use super::page::{Block, Command, blocks};
use crate::support::program::Home;

const LIMIT: Duration = Duration::from_secs(120);

/// Commands that change nothing and see what is still on its way: they look again until it is there,
/// as a reader's hands are slower than these.
const LOOKS: [&str; 2] = ["mono-demo audit", "mono-demo dlq ls"];

/// What of the checkout the commands of pages use.
const COPIED: [&str; 4] = ["client", "demo.py", "examples", "fixtures"];

/// Runs every block of a page; what differs, with its line, ends it.
pub fn run(page: &str) -> Result<(), String> {
    let mut shell = Shell::new();
    let told = shell.blocks(blocks(page));
    let ended = shell.end_all();
    told.and(ended)?;
    let left = shell.home.processes();
    if !left.is_empty() {
        return Err(format!("these processes are left: {left:?}"));
    }
    let files =
        shell.home.path().read_dir().expect("its home").map(|e| e.expect("a file").file_name());
    match files.into_iter().find(|name| name.to_string_lossy().starts_with("mono-demo-")) {
        None => Ok(()),
        Some(folder) => Err(format!("this folder is left: {}", folder.display())),
    }
}

struct Shell {
    home: Home,
    running: Vec<Running>,
}

/// A program and the file with all it says, on stdout and stderr.
struct Running {
    text: String,
    /// How it is to end at Ctrl-C.
    exit: i32,
    child: Child,
    said: NamedTempFile,
    home: PathBuf,
}

impl Shell {
    fn new() -> Self {
        let home = Home::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in COPIED {
            crate::support::copy(&root.join(name), home.path());
        }
        let shell = Self { home, running: Vec::new() };
        std::fs::create_dir(shell.home.path().join("bin")).expect("a folder");
        let (root, cargo) = (root.display(), env!("CARGO"));
        let python = python();
        shell.program("python", &format!("exec '{python}'"));
        shell.program("cargo", &format!("cd '{root}' && HOME='{}' exec '{cargo}'", var("HOME")));
        shell
    }

    /// A program of this shell's own, first in PATH.
    fn program(&self, name: &str, runs: &str) {
        let path = self.home.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{runs} \"$@\"\n")).expect("a script");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode");
    }

    fn blocks(&mut self, blocks: Vec<Block>) -> Result<(), String> {
        for block in blocks {
            match block {
                Block::Console(commands) => {
                    commands.iter().try_for_each(|command| self.command(command))?;
                }
                Block::File { path, text } => {
                    let path = self.home.path().join(path);
                    std::fs::create_dir_all(path.parent().expect("its folder")).expect("made");
                    std::fs::write(path, text).expect("the file is written");
                }
                Block::NotRun { .. } | Block::Read { .. } => {}
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), String> {
        let kind = kind(&command.text);
        if let Some(kind) = kind {
            let at = self.running.iter().position(|running| running.text.contains(kind));
            at.map(|at| self.running.remove(at).end()).transpose()?;
        }
        let differs = |diff: String| format!("line {}: `{}`\n{diff}", command.line, command.text);
        let looks = LOOKS.iter().any(|looks| command.text.starts_with(looks));
        let mut running = self.start(command);
        let deadline = Instant::now() + LIMIT;
        // Two things may come first, what it says and its end, so both are looked for.
        loop {
            let status = running.child.try_wait().expect("its status");
            let ended = status.is_some();
            let diff = difference(&command.printed, &running.said());
            match (diff, kind) {
                (None, Some(_)) if !ended => {
                    self.running.push(running);
                    return Ok(());
                }
                (None, Some(_)) => return Err(differs("it ended by itself".to_owned())),
                (None, None) if ended => {
                    let code = status.and_then(|status| status.code());
                    return match code == Some(command.exit) {
                        true => {
                            self.forget_the_stopped(&command.text);
                            Ok(())
                        }
                        false => {
                            let told =
                                code.map_or("a signal".to_owned(), |n| format!("exit code {n}"));
                            Err(differs(format!("it ended with {told}, not {}", command.exit)))
                        }
                    };
                }
                (Some(_), _) if ended && looks && Instant::now() < deadline => {
                    running = self.start(command);
                }
                (Some(diff), _) if ended => return Err(differs(diff)),
                (diff, _) if Instant::now() > deadline => {
                    let diff = diff.unwrap_or_else(|| "it does not end".to_owned());
                    return Err(differs(format!("after {LIMIT:?}:\n{diff}")));
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn start(&self, Command { text, exit, .. }: &Command) -> Running {
        // Not in the home, which is looked at when all has ended.
        let said = NamedTempFile::new().expect("a file");
        let both = File::options().append(true).open(said.path()).expect("the same file");
        let mut command = self.home.shell(&self.as_here(text));
        let bin = self.home.path().join("bin");
        let built = Path::new(env!("CARGO_BIN_EXE_mono-demo")).parent().expect("its folder");
        let path = format!("{}:{}:{}", bin.display(), built.display(), var("PATH"));
        command.env("PATH", path).process_group(0);
        crate::support::forget_package(&mut command);
        command.stdin(Stdio::null()).stdout(both.try_clone().expect("a copy")).stderr(both);
        let child = command.spawn().expect("sh starts");
        Running {
            text: text.to_owned(),
            exit: *exit,
            child,
            said,
            home: self.home.path().to_owned(),
        }
    }

    /// The command with this shell's port in the place of the one that everybody knows.
    fn as_here(&self, text: &str) -> String {
        if text.starts_with("mono-demo serve") {
            return format!("{text} --port 0");
        }
        let address = self.running.iter().find_map(|running| running.address());
        text.replace("127.0.0.1:4222", &address.unwrap_or_else(|| "127.0.0.1:4222".to_owned()))
    }

    /// Whoever was told to stop by this command has ended when it returns.
    fn forget_the_stopped(&mut self, command: &str) {
        if command.starts_with("mono-demo stop") {
            self.running
                .retain_mut(|running| running.child.try_wait().expect("its status").is_none());
        }
    }

    /// Ctrl-C for what still runs, the youngest first.
    fn end_all(&mut self) -> Result<(), String> {
        while let Some(running) = self.running.pop() {
            running.end()?;
        }
        Ok(())
    }
}

impl Running {
    /// What it has said so far; a reader's temporary folder is `/tmp`.
    fn said(&self) -> String {
        let text = std::fs::read_to_string(self.said.path()).expect("what it said");
        text.replace(self.home.to_str().expect("UTF-8"), "/tmp")
    }

    fn address(&self) -> Option<String> {
        let said = self.said();
        let line = said.lines().find_map(|line| line.strip_prefix("Ready: nats://"))?;
        Some(line.to_owned())
    }

    /// Ctrl-C, as a terminal sends it: to the program and its children.
    fn end(mut self) -> Result<(), String> {
        if self.child.try_wait().expect("its status").is_some() {
            return Err(format!("`{}` ended by itself: {}", self.text, self.said()));
        }
        self.signal("INT");
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                // A program without a handler ends by the signal itself.
                let orderly = [Some(self.exit), Some(130)].contains(&status.code());
                return match orderly || status.signal() == Some(2) {
                    true => Ok(()),
                    false => Err(format!("`{}` ended at Ctrl-C with {status}", self.text)),
                };
            }
            if Instant::now() > deadline {
                return Err(format!("`{}` does not end at Ctrl-C", self.text));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let _ = std::process::Command::new("kill").args(["-s", name, "--", &group]).status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("KILL");
            let _ = self.child.wait();
        }
    }
}

/// The Python that mono-demo makes. All that it installs is there then, as at a reader's second
/// command: no page shows what the first one says of that.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let said = Home::new().run(&["doctor", "--fix", "--json"]).stdout;
        let found: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        found["findings"]["python"]["path"].as_str().expect("a Python").to_owned()
    })
}

/// What kind of program stays; none of what comes to its end.
fn kind(command: &str) -> Option<&'static str> {
    ["mono-demo serve", "cargo run", " --keep"].into_iter().find(|kind| command.contains(kind))
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
