//! `[[setup]]`: what is done when the broker is up and the services are not.

use super::ast::beside::{Kv, KvVerb};
use super::ast::step::{Action, Step};
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::scenario::steps;

/// Reads the steps, and refuses those for which nothing runs yet.
pub(in crate::e2e) fn read(top: &Fields<'_, '_>, findings: &mut Findings) -> Vec<Step> {
    let setup = steps::read("setup", top, findings);
    for step in &setup {
        let why = match step.action {
            Action::Call { .. } => "a method of the client asks a service, and none runs yet",
            Action::Fault(_) => "what breaks here would break before anything runs",
            Action::Kv(Kv { does: KvVerb::Watch, .. }) => {
                "it is watched from the first `[[step]]` on"
            }
            Action::Http(_) => "it asks a service, and none runs yet",
            Action::Settle => "nobody takes messages yet that could be waited for",
            Action::ExpectMessage { .. } | Action::ExpectMessages { .. } => {
                "it listens from the first `[[step]]` on"
            }
            _ if step.load.is_some() => "a load is for services that run",
            _ => continue,
        };
        let message = format!("`{}` does not go into `[[setup]]`", step.action.verb());
        findings.add_with_help(step.span.clone(), message, why);
    }
    setup
}
