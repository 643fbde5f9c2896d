//! The reaper: a small synchronous program between us and one child, so that no child outlives us.
//!
//! It is this binary again, started as `mono-demo __reap --socket S [--cwd D] [--lock F]
//! [--remove D]… -- PROGRAM ARGS…`. It connects to the socket, starts the program in a process group of its own, with
//! the stdio it inherited, and then does three things: sends the signals it is asked to send, tells
//! how the child ended, and, once the socket closes, ends what is left and tidies up. What has left
//! the group is ended before the child's end is told. Where it is killed itself, the child ends with it
//! (Linux, `program`), and what the child started may stay.
//!
//! A reused pid is never signalled. A pid is free for reuse only once its process has been reaped, and
//! only the reaper can reap the child. So it looks for the exit without reaping (`WNOWAIT`), and does
//! the reaping under the same lock as the signalling; after that it answers `gone`.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::attendant::woken_at_parents_end;
use super::control::{Report, Request};
use super::keeper::{KEEP, keep};
use super::orphans;
use super::program;
#[cfg(target_os = "linux")]
use super::program::{BECOME, become_program};
use super::remove::remove_tree;
use super::standstill;
use super::status::{ExitStatus, Signal};
use super::subcommand::SUBCOMMAND;
use crate::given::open_file;

/// The kernel has no event for a process that stands still without having stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long to wait for the lock of a child whose parent died: its reaper is ending it right now.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the reaper until its child has ended and its channel is closed; `args` are those after
/// [`SUBCOMMAND`].
///
/// To be called before anything else in `main`: it needs no runtime and no argument parser.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    #[cfg(target_os = "linux")]
    if args.next_if(|first| first == BECOME).is_some() {
        return become_program(args);
    }
    woken_at_parents_end();
    if args.peek().is_some_and(|first| first == KEEP) {
        keep(io::stdin().lock());
        return ExitCode::SUCCESS;
    }
    let order = match Order::parse(args) {
        Ok(order) => order,
        Err(problem) => return complain(&problem),
    };
    let result = UnixStream::connect(&order.socket)
        .map_err(|e| format!("could not reach {}: {e}", order.socket.display()))
        .and_then(|channel| supervise(&order, channel).map_err(|e| e.to_string()));
    match result {
        Ok(Folders::Keep) => ExitCode::SUCCESS,
        Ok(Folders::Remove) => {
            order.tidy();
            ExitCode::SUCCESS
        }
        Err(problem) => {
            order.tidy();
            complain(&problem)
        }
    }
}

fn complain(problem: &str) -> ExitCode {
    // Our stderr is the pipe that the parent drains, and a closed one is no reason to panic.
    let _ = writeln!(io::stderr(), "mono-demo {SUBCOMMAND}: {problem}");
    ExitCode::FAILURE
}

/// What to start and what to leave behind, from the command line.
#[derive(Debug, Default)]
struct Order {
    socket: PathBuf,
    cwd: Option<PathBuf>,
    lock: Option<PathBuf>,
    remove: Vec<PathBuf>,
    program: OsString,
    args: Vec<OsString>,
}

impl Order {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Order, String> {
        let mut order = Order::default();
        let mut args = args.into_iter();
        loop {
            let Some(word) = args.next() else {
                return Err("no program was named after --".to_owned());
            };
            if word == "--" {
                break;
            }
            let value = args.next().ok_or_else(|| format!("{} has no value", word.display()))?;
            match word.to_str() {
                Some("--socket") => order.socket = value.into(),
                Some("--cwd") => order.cwd = Some(value.into()),
                Some("--lock") => order.lock = Some(value.into()),
                Some("--remove") => order.remove.push(value.into()),
                _ => return Err(format!("unknown argument {}", word.display())),
            }
        }
        order.program = args.next().ok_or("no program was named after --")?;
        order.args = args.collect();
        Ok(order)
    }

    /// Removes the folders we were given, and the socket's if the parent did not come to it.
    fn tidy(&self) {
        let _ = std::fs::remove_file(&self.socket);
        if let Some(folder) = self.socket.parent() {
            let _ = std::fs::remove_dir(folder);
        }
        for folder in &self.remove {
            remove_tree(folder);
        }
    }
}

/// Locks a file; somebody else may be about to let go of it, so it asks for a while.
///
/// The child inherits it, and a lock goes with the last process that has the file open (flock(2)): so
/// it is held while anything of the child lives, also where we were killed.
fn hold(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let options = options.create(true).truncate(false).write(true).mode(0o600);
    let named = |e: io::Error| io::Error::new(e.kind(), format!("lock {}: {e}", path.display()));
    let file = open_file(path, options).map_err(named)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => {
                fcntl_setfd(&file, FdFlags::empty())?;
                return Ok(file);
            }
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // A file lock can be awaited only without a deadline.
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// What to do with the folders at the end.
enum Folders {
    Remove,
    Keep,
}

fn supervise(order: &Order, channel: UnixStream) -> io::Result<Folders> {
    let requests = channel.try_clone()?;
    let reports = Mutex::new(channel);
    let lock = match order.lock.as_deref().map(hold).transpose() {
        Ok(lock) => lock,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            report(&reports, Report::Locked);
            return Ok(listen(requests, None, &reports));
        }
        Err(e) => return Err(e),
    };
    orphans::adopt();
    let child = match program::start(&order.program, &order.args, order.cwd.as_deref()) {
        Ok(child) => child,
        Err(e) => {
            let errno = e.raw_os_error().unwrap_or(0);
            report(&reports, Report::NotStarted { errno });
            return Ok(listen(requests, None, &reports));
        }
    };
    report(&reports, Report::Started { pid: child.id() });
    let group = Group::new(child);
    // The child has its own copies; ours would keep its pipes open after it closed them.
    let _ = let_go_of_stdio();

    thread::scope(|scope| {
        let listener = scope.spawn(|| listen(requests, Some(&group), &reports));
        let status = group.wait();
        orphans::end();
        drop(lock);
        report(&reports, Report::Exited(status));
        Ok(listener.join().unwrap_or(Folders::Remove))
    })
}

/// Does what is asked until the channel closes, then ends the group, if there is one.
fn listen(channel: UnixStream, group: Option<&Group>, reports: &Mutex<UnixStream>) -> Folders {
    let mut folders = Folders::Remove;
    for line in BufReader::new(channel).lines() {
        let Ok(line) = line else { break };
        match line.parse() {
            Ok(Request::Signal { id, signal }) => {
                let gone = Report::Gone { id };
                report(reports, group.map_or(gone, |group| group.signal(id, signal)));
            }
            Ok(Request::Release) => folders = Folders::Keep,
            Err(()) => {}
        }
    }
    if let Some(group) = group {
        group.signal(0, Signal::Kill);
    }
    folders
}

fn report(reports: &Mutex<UnixStream>, report: Report) {
    let mut channel = reports.lock().unwrap_or_else(PoisonError::into_inner);
    // The parent may be gone; then nobody needs the report.
    let _ = channel.write_all(report.to_string().as_bytes());
}

fn let_go_of_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// The child and everything it started in its process group.
struct Group {
    pid: Pid,
    /// The child while it has not been reaped.
    unreaped: Mutex<Option<Child>>,
}

impl Group {
    fn new(child: Child) -> Group {
        Group { pid: Pid::from_child(&child), unreaped: Mutex::new(Some(child)) }
    }

    fn signal(&self, id: u64, signal: Signal) -> Report {
        let unreaped = self.unreaped.lock().unwrap_or_else(PoisonError::into_inner);
        if unreaped.is_none() {
            return Report::Gone { id };
        }
        match kill_process_group(self.pid, signal.raw()) {
            Ok(()) => {
                if signal == Signal::Stop {
                    self.until_stopped();
                }
                Report::Delivered { id }
            }
            Err(e) => Report::Refused { id, errno: e.raw_os_error() },
        }
    }

    /// The signal is only asked for when it was sent: threads that run elsewhere go on for a moment,
    /// and may still answer somebody. Returns once none of the child does. One that was stopped while
    /// it waited for a child of its own to become a program (vfork(2)) is told to have stopped only when
    /// that child, which is stopped too, goes on: it is looked for.
    fn until_stopped(&self) {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(self.pid), options | WaitIdOptions::NOHANG) {
                Ok(None) if standstill::stands_still(self.pid) => return,
                Ok(None) => thread::sleep(LOOK_AGAIN),
                Err(rustix::io::Errno::INTR) => {}
                _ => return,
            }
        }
    }

    /// Waits for the child, ends what it left of its group, and only then reaps it.
    fn wait(&self) -> ExitStatus {
        let status = loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(self.pid), options) {
                Ok(Some(status)) => {
                    break match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => ExitStatus::Code(code),
                        (None, Some(signal)) => ExitStatus::Signal(signal),
                        (None, None) => ExitStatus::Lost,
                    };
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break ExitStatus::Lost,
            }
        };
        let mut unreaped = self.unreaped.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = kill_process_group(self.pid, Signal::Kill.raw());
        if let Some(mut child) = unreaped.take() {
            let _ = child.wait();
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Order, String> {
        Order::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn everything_after_the_dashes_belongs_to_the_program() {
        let order = parse(&[
            "--socket", "/s", "--remove", "/a", "--remove", "/b", "--", "sh", "--socket", "--",
        ])
        .unwrap();
        assert_eq!(order.socket, Path::new("/s"));
        assert_eq!(order.remove, [Path::new("/a"), Path::new("/b")]);
        assert_eq!(order.program, "sh");
        assert_eq!(order.args, ["--socket", "--"]);
    }

    #[test]
    fn an_order_without_a_program_is_refused() {
        assert!(parse(&["--socket", "/s"]).is_err());
        assert!(parse(&["--socket", "/s", "--"]).is_err());
        assert!(parse(&["--socket"]).is_err());
        assert!(parse(&["--frobnicate", "x", "--", "sh"]).is_err());
    }
}
