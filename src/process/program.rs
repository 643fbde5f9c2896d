//! Starts a program that ends when its parent process ends, also by SIGKILL.
//!
//! Linux tells a process of its parent's end by a signal that only the process itself can ask for
//! (`PR_SET_PDEATHSIG`, prctl(2)), and that outlives `exec`. So this binary is started once more, as
//! `mono-demo __reap --become PARENT PROGRAM ARGS…`: it asks for SIGKILL and becomes the program. It
//! fires when the *thread* that started it ends; the reaper's is its first, which ends last. A program
//! that changes its user, as `sudo` does, loses it.
//!
//! If it cannot become the program, it reports why on a socket that `exec` closes. The socket is
//! its stdin at first, and the program's own stdin comes over it (`SCM_RIGHTS`): without `unsafe`
//! no other inherited descriptor could be closed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;

#[cfg(target_os = "linux")]
use linux::spawn;
#[cfg(target_os = "linux")]
pub(super) use linux::{BECOME, become_program};

/// Starts a program in a process group of its own, with our stdio; to be called by the first thread.
///
/// # Errors
/// Why it could not be started: the system's own error.
pub(super) fn start(program: &OsStr, args: &[OsString], cwd: Option<&Path>) -> io::Result<Child> {
    #[cfg(target_os = "linux")]
    let mut command = linux::becoming(program);
    #[cfg(not(target_os = "linux"))]
    let mut command = std::process::Command::new(program);
    command.args(args).process_group(0);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    spawn(command)
}

#[cfg(not(target_os = "linux"))]
fn spawn(mut command: std::process::Command) -> io::Result<Child> {
    command.spawn()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{OsStr, OsString};
    use std::io::{self, IoSlice, IoSliceMut, Read, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, ExitCode};

    use rustix::cmsg_space;
    use rustix::io::Errno;
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    };
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    use crate::process::subcommand::SUBCOMMAND;

    /// The reaper's argument that makes it the program.
    pub const BECOME: &str = "--become";

    /// This very binary, also if another one has taken its place; the program's arguments follow.
    pub fn becoming(program: &OsStr) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("mono-demo").arg(SUBCOMMAND).arg(BECOME);
        command.arg(getpid().as_raw_pid().to_string()).arg(program);
        command
    }

    /// Returns once it is the program, or says why it is not.
    pub fn spawn(mut command: Command) -> io::Result<Child> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let stdin = io::stdin();
        let fds = [stdin.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&ours, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
        let mut child = command.stdin(OwnedFd::from(theirs)).spawn()?;
        // Our copy of their end goes with it.
        drop(command);
        let mut errno = String::new();
        ours.read_to_string(&mut errno)?;
        match errno.parse() {
            Ok(errno) => {
                let _ = child.wait();
                Err(io::Error::from_raw_os_error(errno))
            }
            // Closed by `exec`; or it was killed, which is told like any other end.
            Err(_) => Ok(child),
        }
    }

    /// The other side; `args` are those after [`BECOME`]. Returns only where it failed.
    pub fn become_program(args: impl IntoIterator<Item = OsString>) -> ExitCode {
        let socket = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
        if let Ok(mut socket) = socket {
            let Err(problem) = replace_us(&socket, args);
            let errno = problem.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
            // If it cannot be told, the parent is gone.
            let _ = write!(socket, "{errno}");
        }
        ExitCode::FAILURE
    }

    fn replace_us(
        socket: &UnixStream,
        args: impl IntoIterator<Item = OsString>,
    ) -> io::Result<std::convert::Infallible> {
        let mut args = args.into_iter();
        let (Some(parent), Some(program)) = (args.next(), args.next()) else {
            return Err(Errno::INVAL.into());
        };
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Where the parent ended before, nobody will tell.
        let still = getppid().map(|pid| pid.as_raw_pid().to_string());
        if still.as_deref().map(OsStr::new) != Some(&parent) {
            return Err(Errno::SRCH.into());
        }
        rustix::stdio::dup2_stdin(stdin_over(socket)?)?;
        Err(Command::new(program).args(args).exec())
    }

    fn stdin_over(socket: &UnixStream) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let (mut byte, flags) = ([0], RecvFlags::CMSG_CLOEXEC);
        recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        let passed = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        passed.ok_or_else(|| Errno::BADF.into())
    }
}
