//! The messages between us and the reaper: one short line of text each.

use std::fmt;
use std::str::FromStr;

use super::status::{ExitStatus, Signal};

/// What we ask of the reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Send this signal to the child's process group, and answer under this number.
    Signal { id: u64, signal: Signal },
    /// Remove no folders: we do it ourselves.
    Release,
}

/// What the reaper reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The child runs.
    Started { pid: u32 },
    /// The program could not be started.
    NotStarted { errno: i32 },
    /// Another process's child holds the lock.
    Locked,
    /// The signal was sent.
    Delivered { id: u64 },
    /// The signal was not sent: the child has ended.
    Gone { id: u64 },
    /// The signal was not sent: the operating system refused.
    Refused { id: u64, errno: i32 },
    /// The child has ended, and been reaped.
    Exited(ExitStatus),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Signal { id, signal } => writeln!(f, "signal {id} {signal}"),
            Request::Release => writeln!(f, "release"),
        }
    }
}

impl FromStr for Request {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["signal", id, signal] => Ok(Request::Signal {
                id: number(id)?,
                signal: Signal::from_name(signal).ok_or(())?,
            }),
            ["release"] => Ok(Request::Release),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Started { pid } => writeln!(f, "started {pid}"),
            Report::NotStarted { errno } => writeln!(f, "not-started {errno}"),
            Report::Locked => writeln!(f, "locked"),
            Report::Delivered { id } => writeln!(f, "delivered {id}"),
            Report::Gone { id } => writeln!(f, "gone {id}"),
            Report::Refused { id, errno } => writeln!(f, "refused {id} {errno}"),
            Report::Exited(ExitStatus::Code(code)) => writeln!(f, "exited code {code}"),
            Report::Exited(ExitStatus::Signal(signal)) => writeln!(f, "exited signal {signal}"),
            Report::Exited(ExitStatus::Lost) => writeln!(f, "exited lost"),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words[..] {
            ["started", pid] => Report::Started { pid: number(pid)? },
            ["not-started", errno] => Report::NotStarted { errno: number(errno)? },
            ["locked"] => Report::Locked,
            ["delivered", id] => Report::Delivered { id: number(id)? },
            ["gone", id] => Report::Gone { id: number(id)? },
            ["refused", id, errno] => Report::Refused { id: number(id)?, errno: number(errno)? },
            ["exited", "code", code] => Report::Exited(ExitStatus::Code(number(code)?)),
            ["exited", "signal", signal] => Report::Exited(ExitStatus::Signal(number(signal)?)),
            ["exited", "lost"] => Report::Exited(ExitStatus::Lost),
            _ => return Err(()),
        })
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, ()> {
    word.parse().map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for request in [Request::Signal { id: 7, signal: Signal::Term }, Request::Release] {
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        for report in [
            Report::Started { pid: 42 },
            Report::NotStarted { errno: 2 },
            Report::Locked,
            Report::Delivered { id: 1 },
            Report::Gone { id: 2 },
            Report::Refused { id: 3, errno: 1 },
            Report::Exited(ExitStatus::Code(3)),
            Report::Exited(ExitStatus::Signal(9)),
            Report::Exited(ExitStatus::Lost),
        ] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        assert_eq!("signal x SIGTERM".parse::<Request>(), Err(()));
        assert_eq!("".parse::<Report>(), Err(()));
    }
}
