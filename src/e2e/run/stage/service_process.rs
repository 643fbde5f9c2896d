//! A process of a service.

use std::time::Duration;

use crate::process::Child;

/// A service process.
pub(in crate::e2e) struct ServiceProcess {
    pub(in crate::e2e) child: Child,
    /// How long it may take to end after SIGTERM.
    pub(in crate::e2e) stop_within: Duration,
}
