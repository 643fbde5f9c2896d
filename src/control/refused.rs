//! Why something was not done, in the protocol's terms.

use std::fmt::Display;

use crate::broker::{AccountError, ClusterError, FaultError, StartError, StopError};
use crate::process::SignalError;
use crate::wire::control::{ControlError, ErrorKind};

/// Something was wrong with what was asked.
pub(super) fn bad_input(why: impl Display) -> ControlError {
    of_kind(ErrorKind::BadInput, why)
}

/// Nothing has this name, or it is of another sort.
pub(super) fn no_such(why: impl Display) -> ControlError {
    of_kind(ErrorKind::NoSuch, why)
}

/// It was tried.
pub(super) fn failed(why: impl Display) -> ControlError {
    of_kind(ErrorKind::Failed, why)
}

fn of_kind(kind: ErrorKind, why: impl Display) -> ControlError {
    ControlError { kind, message: why.to_string(), hint: None, log: Vec::new() }
}

impl From<StartError> for ControlError {
    fn from(error: StartError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        let log = match error {
            StartError::EarlyExit { tail, .. } | StartError::NotReady { tail, .. } => tail,
            _ => Vec::new(),
        };
        Self { kind: ErrorKind::Failed, message, hint, log }
    }
}

impl From<ClusterError> for ControlError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Prepare { source } => source.into(),
            ClusterError::NoNode { .. } | ClusterError::TooFew { .. } => bad_input(error),
            ClusterError::NoPartitions => Self {
                hint: Some("start it with `\"partitions\": true`".to_owned()),
                ..bad_input("the nodes reach each other directly, so that none can be cut off")
            },
            ClusterError::CutOff { .. } => bad_input(error),
            ClusterError::NoStream { .. } => no_such(error),
            _ => Self { hint: error.hint(), ..failed(error) },
        }
    }
}

impl From<AccountError> for ControlError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Off => Self {
                hint: Some("start it with `\"settings\": {\"accounts\": true}`".to_owned()),
                ..bad_input(error)
            },
            AccountError::Twice { .. } => bad_input(error),
            _ => failed(error),
        }
    }
}

impl From<FaultError> for ControlError {
    fn from(error: FaultError) -> Self {
        failed(error)
    }
}

impl From<StopError> for ControlError {
    fn from(error: StopError) -> Self {
        failed(error)
    }
}

impl From<SignalError> for ControlError {
    fn from(error: SignalError) -> Self {
        failed(error)
    }
}
