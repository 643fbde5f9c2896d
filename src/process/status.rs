//! How a child ended, and the signals that can be sent to it.

use std::fmt;

/// A signal that can be sent to a child's process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGTERM: please end.
    Term,
    /// SIGKILL: end now.
    Kill,
    /// SIGINT: what Ctrl-C sends.
    Int,
    /// SIGSTOP: pause.
    Stop,
    /// SIGCONT: go on after a pause.
    Cont,
    /// SIGHUP: to nats-server it means to read its configuration again.
    Hup,
    /// SIGUSR2: to nats-server it means lame duck mode.
    Usr2,
}

impl Signal {
    const ALL: [Signal; 7] = [
        Signal::Term,
        Signal::Kill,
        Signal::Int,
        Signal::Stop,
        Signal::Cont,
        Signal::Hup,
        Signal::Usr2,
    ];

    /// The POSIX name, `SIGTERM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Signal::Term => "SIGTERM",
            Signal::Kill => "SIGKILL",
            Signal::Int => "SIGINT",
            Signal::Stop => "SIGSTOP",
            Signal::Cont => "SIGCONT",
            Signal::Hup => "SIGHUP",
            Signal::Usr2 => "SIGUSR2",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Signal> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }

    pub(super) fn raw(self) -> rustix::process::Signal {
        use rustix::process::Signal as Raw;
        match self {
            Signal::Term => Raw::TERM,
            Signal::Kill => Raw::KILL,
            Signal::Int => Raw::INT,
            Signal::Stop => Raw::STOP,
            Signal::Cont => Raw::CONT,
            Signal::Hup => Raw::HUP,
            Signal::Usr2 => Raw::USR2,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody knows: its reaper was ended by somebody else, and the child with it.
    Lost,
}

impl ExitStatus {
    /// Whether it returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == ExitStatus::Code(0)
    }

    /// The status it returned, if it returned one.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            ExitStatus::Code(code) => Some(code),
            ExitStatus::Signal(_) | ExitStatus::Lost => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(f, "exit status {code}"),
            ExitStatus::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            ExitStatus::Lost => f.write_str("unknown exit status (its reaper was killed)"),
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    use rustix::process::Signal as Raw;
    let known = [
        (Raw::HUP, "SIGHUP"),
        (Raw::INT, "SIGINT"),
        (Raw::QUIT, "SIGQUIT"),
        (Raw::ILL, "SIGILL"),
        (Raw::ABORT, "SIGABRT"),
        (Raw::BUS, "SIGBUS"),
        (Raw::FPE, "SIGFPE"),
        (Raw::KILL, "SIGKILL"),
        (Raw::SEGV, "SIGSEGV"),
        (Raw::PIPE, "SIGPIPE"),
        (Raw::TERM, "SIGTERM"),
        (Raw::USR1, "SIGUSR1"),
        (Raw::USR2, "SIGUSR2"),
    ];
    known.into_iter().find(|(raw, _)| raw.as_raw() == number).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_status_reads_as_a_sentence_part() {
        assert_eq!(ExitStatus::Code(1).to_string(), "exit status 1");
        assert_eq!(ExitStatus::Signal(9).to_string(), "signal 9 (SIGKILL)");
        assert_eq!(ExitStatus::Signal(63).to_string(), "signal 63");
    }

    #[test]
    fn every_signal_is_found_by_its_name() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_name(signal.name()), Some(signal));
        }
        assert_eq!(Signal::from_name("SIGWINCH"), None);
    }
}
