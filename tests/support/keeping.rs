//! `mono-demo e2e … --keep`, as a person runs it and looks at what it leaves up.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use super::program::{Home, Said};
use super::{eventually, processes_with};

/// For whatever is to be printed next.
pub const LIMIT: Duration = Duration::from_secs(60);
/// The last line before it waits.
const WAITS: &str = "Ctrl-C stops it and removes ";

/// Nothing of a run is left: no process, no folder.
pub fn nothing_is_left(home: &Home) -> bool {
    let folders = home.path().read_dir().unwrap().filter_map(Result::ok);
    let ours = |name: &str| name.starts_with("mono-demo-") || name.starts_with("md-");
    let left = folders.filter(|entry| ours(&entry.file_name().to_string_lossy())).count();
    left == 0 && processes_with(home.path().to_str().unwrap()).is_empty()
}

/// The last of our own processes ends after us, when it sees that we have.
#[track_caller]
pub fn is_gone(home: &Home) {
    eventually("everything is gone", Duration::from_secs(60), || nothing_is_left(home));
}

/// `mono-demo e2e … --keep`; killed if the test forgets it.
pub struct Keeping {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// What it printed so far, on stdout and stderr, in order.
    pub said: String,
}

impl Keeping {
    /// Starts it; what it prints is not read yet.
    pub fn start(home: &Home, args: &[&str]) -> Self {
        // One pipe for both: their order is what a person sees.
        let (read, write) = std::io::pipe().unwrap();
        let mut command = home.command(["e2e", "--keep"]);
        command.args(args).stdout(write.try_clone().unwrap()).stderr(write);
        let child = command.spawn().expect("the program starts");
        // It holds the pipe's other end.
        drop(command);
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(read).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { child, lines, said: String::new() }
    }

    /// Reads until a line has this text, and returns the line.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no line has `{text}`:\n{}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until it waits.
    #[track_caller]
    pub fn left_up(home: &Home, args: &[&str]) -> Self {
        let mut keeping = Self::start(home, args);
        keeping.until(WAITS);
        keeping
    }

    /// The commands that it shows, with this word in them.
    pub fn commands(&self, word: &str) -> Vec<String> {
        let shown = self.said.lines().filter_map(|line| line.strip_prefix("  "));
        shown.filter(|line| line.starts_with(word)).map(str::to_owned).collect()
    }

    /// What it says of the run under this name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        let line = self.said.lines().find(|line| line.starts_with(&format!("  {name} ")))?;
        Some(line[name.len() + 2..].trim())
    }

    /// The run's private folder.
    pub fn folder(&self) -> PathBuf {
        let line = self.said.lines().find_map(|line| line.strip_prefix(WAITS));
        PathBuf::from(line.expect("it waits"))
    }

    /// The NATS context of a role.
    pub fn context(&self, role: &str) -> String {
        self.folder().join(format!("contexts/{role}.json")).display().to_string()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Reads to the end; the exit code.
    #[track_caller]
    pub fn code(&mut self) -> Option<i32> {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => self.said.push_str(&format!("{line}\n")),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.said),
            }
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line as it is pasted into a shell.
pub fn pasted(home: &Home, line: &str) -> Said {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mono-demo"));
    let folders = [program.parent().unwrap().to_owned()].into_iter();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
    let mut known = home.command([] as [&str; 0]);
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PATH", path);
    for (name, value) in known.current_dir(home.path()).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Said::from(command.current_dir(home.path()).output().unwrap())
}
