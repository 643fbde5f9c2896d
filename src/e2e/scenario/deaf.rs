//! Refuses `none` after a fault in which the client may have missed a message.

use super::ast::scenario::Fixture;
use super::ast::step::{Action, Step};
use super::findings::Findings;
use crate::broker::Fault;

/// Such a step would hold whatever was said.
pub(super) fn check(fixture: &Fixture, findings: &mut Findings) {
    let mut broken: Option<&Fault> = None;
    for step in fixture.all_steps() {
        if let (Action::ExpectMessage { subject, none: true }, Some(fault)) = (&step.action, broken)
        {
            findings.add_with_help(
                step.span.clone(),
                format!("`none` of `{subject}` after `{fault}` cannot be told"),
                "the client may have missed what was said: have a stream keep the subject \
                 (`[streams]`), and check what is in it",
            );
        }
        broken = broken.or_else(|| faults(step).find(|fault| fault.breaks_the_client()));
    }
}

fn faults(step: &Step) -> impl Iterator<Item = &Fault> {
    let of_step = match &step.action {
        Action::Fault(fault) => Some(fault),
        _ => None,
    };
    let under = step.load.iter().flat_map(|load| load.under.iter().map(|(fault, _)| fault));
    of_step.into_iter().chain(under)
}
