//! Every exit code, in one place, and the error that ends a command.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::broker::{ClusterError, StartError};
use crate::modules::ClientError;
use crate::mono::{ConnectError, remedy};
use crate::provision::{ProvisionError, Source};

/// How a command ended. `mono-demo --help` shows this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: success.
    Success,
    /// 1: a scenario differs from what it expects or from its golden transcript; an audit or a
    /// bench found a problem; a history is invalid.
    Mismatch,
    /// 2: bad usage, bad input, a broken fixture. Nothing was done.
    Usage,
    /// 3: infrastructure (the broker, the disk, the Python environment), or an unknown verdict on a
    /// history: nothing was proved either way.
    Infrastructure,
    /// 4: a domain error: division by zero, a payment that failed or conflicts.
    Domain,
    /// 5: nobody listens on the subject, or no stream has it.
    NoResponders,
    /// 6: no answer in time; it may have happened.
    Timeout,
    /// 7: the service answered with an error (400, 500, 503), or with what cannot be read as an answer.
    Service,
    /// 8: no connection, refused credentials, or a permissions violation.
    Connection,
    /// 130: interrupted.
    Interrupted,
}

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    success
  1    a scenario differs, an audit or a bench found a problem, or a history is invalid
  2    bad usage or input, or a broken fixture; nothing was done
  3    infrastructure: broker, disk, Python environment; or the verdict on a history is unknown
  4    domain error: division by zero, a payment that failed or conflicts
  5    no responders, or no stream has the subject
  6    timeout; it may have happened
  7    the service answered with an error, or with what cannot be read as an answer
  8    no connection, refused credentials, or a permissions violation
  130  interrupted";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Mismatch => 1,
            Self::Usage => 2,
            Self::Infrastructure => 3,
            Self::Domain => 4,
            Self::NoResponders => 5,
            Self::Timeout => 6,
            Self::Service => 7,
            Self::Connection => 8,
            Self::Interrupted => 130,
        }
    }

    /// From the lightest on: an interrupt ends all, and what was not proved weighs more than what differs.
    const BY_WEIGHT: [Self; 10] = [
        Self::Success,
        Self::Mismatch,
        Self::Domain,
        Self::Usage,
        Self::Service,
        Self::NoResponders,
        Self::Timeout,
        Self::Connection,
        Self::Infrastructure,
        Self::Interrupted,
    ];

    /// What two of them come to: the one that weighs more.
    pub fn or_worse(self, other: Self) -> Self {
        let weight = |exit: Self| Self::BY_WEIGHT.iter().position(|one| *one == exit);
        if weight(other) > weight(self) { other } else { self }
    }

    /// The word in `--json` output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Mismatch => "mismatch",
            Self::Usage => "usage",
            Self::Infrastructure => "infrastructure",
            Self::Domain => "domain",
            Self::NoResponders => "no-responders",
            Self::Timeout => "timeout",
            Self::Service => "service",
            Self::Connection => "connection",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What ends a command: a message, where possible a hint, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// Names the operation and the evidence.
    pub message: String,
    /// What to do about it, on a line of its own.
    pub hint: Option<String>,
    /// The flags whose values it refuses, by their names without dashes: where such a value comes from is
    /// told with it.
    pub about: &'static [&'static str],
}

impl CliError {
    pub fn new(exit: Exit, message: impl std::fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hint: None, about: &[] }
    }

    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn infrastructure(operation: &str, evidence: impl std::fmt::Display) -> Self {
        Self::new(Exit::Infrastructure, format!("{operation}: {evidence}"))
    }

    /// What `--json` says of it.
    pub fn object(&self) -> Value {
        let Self { exit, message, .. } = self;
        json!({ "kind": exit.word(), "code": exit.code(), "message": message })
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The flags whose values it refuses.
    #[must_use]
    pub fn about(mut self, flags: &'static [&'static str]) -> Self {
        self.about = flags;
        self
    }
}

/// What helps where nobody listens, unless the services are known to run.
pub const START_THE_SERVICES: &str = "start the services with `mono-demo serve`";

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::BadInput(_) | ClientError::MaxPayload { .. } => Exit::Usage,
            ClientError::NoResponders { .. }
            | ClientError::NoStream { .. }
            | ClientError::NotAcknowledged { .. } => Exit::NoResponders,
            ClientError::Timeout { .. } => Exit::Timeout,
            ClientError::Service { .. }
            | ClientError::PublishRefused { .. }
            | ClientError::Unreadable { .. }
            | ClientError::Other { .. } => Exit::Service,
            ClientError::Domain(_) => Exit::Domain,
            ClientError::Permissions { .. } => Exit::Connection,
            ClientError::Connection { .. } => Exit::Infrastructure,
        };
        let hint = match &error {
            ClientError::NoResponders { .. } => Some(START_THE_SERVICES),
            ClientError::NoStream { .. } | ClientError::NotAcknowledged { .. } => Some(
                "`nats stream ls` lists the streams of a server, which must run JetStream (`nats-server -js`); \
                 `mono-demo serve` makes the stream of `services.payment.payment-process`",
            ),
            ClientError::PublishRefused { message, .. } => remedy(message, None),
            ClientError::Permissions { evidence, .. } => remedy(evidence, None).or(Some(
                "connect as a user who may: of `serve --auth` and `spec --accounts`, `client` may ask \
                 services and submit payments, and `harness` may do everything",
            )),
            _ => None,
        };
        let about: &[_] = if exit == Exit::Timeout { &["timeout"] } else { &[] };
        Self { hint: hint.map(str::to_owned), about, ..Self::new(exit, error) }
    }
}

impl From<ConnectError> for CliError {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::Unusable { .. } => Exit::Usage,
            ConnectError::Refused { .. }
            | ConnectError::Tls { .. }
            | ConnectError::Full { .. }
            | ConnectError::Unreachable { .. } => Exit::Connection,
        };
        Self { hint: error.hint(), ..Self::new(exit, error) }
    }
}

impl From<ProvisionError> for CliError {
    fn from(error: ProvisionError) -> Self {
        let about = flags_of_provision(&error);
        Self { hint: error.hint(), about, ..Self::new(Exit::Infrastructure, error) }
    }
}

/// The flags whose values were refused where a program was looked for.
fn flags_of_provision(error: &ProvisionError) -> &'static [&'static str] {
    match error {
        ProvisionError::NotRunnable { named_by: Source::Explicit, .. }
        | ProvisionError::NotAServer { named_by: Source::Explicit, .. }
        | ProvisionError::TooOld { named_by: Source::Explicit, .. } => &["nats-server"],
        ProvisionError::Offline { .. } => &["offline"],
        _ => &[],
    }
}

/// The flags of `serve` whose values were refused where a broker was started.
fn flags_of_start(error: &StartError) -> &'static [&'static str] {
    match error {
        StartError::PortInUse { .. } | StartError::NoSuchPort { .. } => &["port"],
        StartError::StoreInUse { .. } | StartError::ClusterNames { .. } => &["store-dir"],
        StartError::StoreOfOne { .. } | StartError::OtherCluster { .. } => {
            &["store-dir", "cluster"]
        }
        StartError::OtherAccount { .. } => &["store-dir", "auth"],
        StartError::Certificate { .. } => &["tls-cert", "tls-key", "tls-ca"],
        _ => &[],
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let about = flags_of_start(&error);
        Self { hint: error.hint(), about, ..Self::new(Exit::Infrastructure, error) }
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        let about = match &error {
            ClusterError::Prepare { source } | ClusterError::Start { source, .. } => {
                flags_of_start(source)
            }
            _ => &[],
        };
        Self { hint: error.hint(), about, ..Self::new(Exit::Infrastructure, error) }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn what_was_not_proved_weighs_more_than_what_differs() {
        assert_eq!(Exit::Success.or_worse(Exit::Mismatch), Exit::Mismatch);
        assert_eq!(Exit::Infrastructure.or_worse(Exit::Mismatch), Exit::Infrastructure);
        assert_eq!(Exit::Mismatch.or_worse(Exit::Interrupted), Exit::Interrupted);
        assert_eq!(Exit::Mismatch.or_worse(Exit::Timeout), Exit::Timeout);
    }

    #[test]
    fn of_two_exits_the_worse_one_counts_whichever_comes_first() {
        let mut codes = Exit::BY_WEIGHT.map(Exit::code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130], "each has a weight");
        for one in Exit::BY_WEIGHT {
            assert_eq!(Exit::Success.or_worse(one), one, "no failure is a success");
            assert_eq!(one.or_worse(one), one);
            for other in Exit::BY_WEIGHT {
                assert_eq!(one.or_worse(other), other.or_worse(one), "{one:?} {other:?}");
            }
        }
    }
}
