//! A hold on a running process of this user: what is sent reaches it, and never another one that was given
//! its number meanwhile.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};

use super::process::Process;

/// A process that lives, or has ended since.
#[derive(Debug)]
pub struct Held {
    #[cfg(target_os = "linux")]
    process: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    process: Process,
}

impl Held {
    /// Takes hold of it; `None` if it has ended.
    ///
    /// # Errors
    /// It is another user's, or the operating system's words.
    pub fn take(process: Process) -> io::Result<Option<Self>> {
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(None) };
        #[cfg(target_os = "linux")]
        let held = match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            Ok(process) => Self { process },
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        #[cfg(not(target_os = "linux"))]
        let (held, _) = (Self { process }, pid);
        // Asked afterwards: if it is the one that is meant now, then it was when the hold was taken.
        match process.lives() {
            false => Ok(None),
            true if process.is_ours() => Ok(Some(held)),
            true => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("process {} is another user's", process.pid),
            )),
        }
    }

    /// Asks it to end, by SIGTERM.
    ///
    /// # Errors
    /// The operating system's words. One that has ended already is none.
    pub fn ask_to_end(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let sent = rustix::process::pidfd_send_signal(&self.process, Signal::TERM);
        #[cfg(not(target_os = "linux"))]
        let sent = match i32::try_from(self.process.pid).ok().and_then(Pid::from_raw) {
            Some(pid) if self.process.lives() => rustix::process::kill_process(pid, Signal::TERM),
            _ => Ok(()),
        };
        match sent {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns when it has ended.
    ///
    /// # Errors
    /// The operating system's words.
    pub async fn ended(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use tokio::net::unix::pipe::Receiver;
            // Unchecked: it is no pipe, but can be read, as they can, from its end on. Nothing is read.
            Receiver::from_owned_fd_unchecked(self.process.try_clone()?)?.readable().await?;
        }
        #[cfg(not(target_os = "linux"))]
        while self.process.lives() {
            // The end of a process that is no child cannot be awaited there.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_end_is_seen_and_one_that_has_ended_is_not_held() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id());
        let held = Held::take(process).unwrap().unwrap();
        held.ask_to_end().unwrap();
        held.ended().await.unwrap();
        child.wait().unwrap();
        assert!(Held::take(process).unwrap().is_none());
        held.ask_to_end().unwrap();
    }

    #[test]
    fn another_process_of_the_same_number_is_not_held() {
        let this = Process::this();
        assert!(Held::take(this).unwrap().is_some());
        let another = Process { started: Some(7), ..this };
        assert!(Held::take(another).unwrap().is_none());
    }
}
