//! What a version of nats-server lacks, so that a scenario cannot be run on it.

use super::stage::machine::Machine;
use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::provision::Version;

/// From here on a server traces what is in the messages that it delivers, so also what it says itself.
const SHOWS_WHAT_IT_SAYS: Version = Version { major: 2, minor: 12, patch: 0, pre: None };

/// Why this scenario cannot be run with the server of this machine.
pub(in crate::e2e) fn lacks(machine: &Machine, fixture: &Fixture) -> Option<String> {
    let version = &machine.server.as_ref().ok()?.version;
    let of_replies =
        |kind: &CheckKind| matches!(kind, CheckKind::Schema { replies, .. } if !replies.is_empty());
    let needs = fixture.checks.iter().any(|check| of_replies(&check.kind));
    (needs && !version.is_at_least(&SHOWS_WHAT_IT_SAYS)).then(|| {
        format!(
            "nats-server {version} does not trace what it says itself, as the acknowledgement of a \
             stream, and a check of this scenario is about that; {SHOWS_WHAT_IT_SAYS} does"
        )
    })
}
