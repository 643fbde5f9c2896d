//! Whom to ask about the services of a run.

use super::harness::Harness;
use crate::e2e::text::template::Variables;

/// Whom to ask whether a service is ready.
pub(in crate::e2e) struct Asked<'a> {
    pub(in crate::e2e) harness: &'a Harness,
    /// How many servers there are.
    pub(in crate::e2e) servers: usize,
    /// How many connections all services together have, of those that are ready once they are
    /// connected: the broker cannot tell whose a connection is.
    pub(in crate::e2e) connections: usize,
    /// What `{{name}}` stands for, for services.
    pub(in crate::e2e) variables: &'a Variables,
}
