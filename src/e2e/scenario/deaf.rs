//! Refuses to say that there are no messages, or no more, after a fault in which the client may have missed
//! one.

use super::ast::scenario::Fixture;
use super::ast::step::{Action, Step};
use super::findings::Findings;
use crate::broker::Fault;
use crate::counted::counted;

/// Such a step would hold whatever was said.
pub(super) fn check(fixture: &Fixture, findings: &mut Findings) {
    let mut broken: Option<&Fault> = None;
    for step in fixture.all_steps() {
        if let (Some(said), Some(fault)) = (says_no_more(&step.action), broken) {
            findings.add_with_help(
                step.span.clone(),
                format!("{said} after `{fault}` cannot be told"),
                "the client may have missed what was said: have a stream keep the subject \
                 (`[streams]`), and check what is in it",
            );
        }
        broken = broken.or_else(|| faults(step).find(|fault| fault.breaks_the_client()));
    }
}

/// What a step says of messages that do not come, if it does.
fn says_no_more(action: &Action) -> Option<String> {
    match action {
        Action::ExpectMessage { subject, none: true } => Some(format!("`none` of `{subject}`")),
        Action::ExpectMessages { subject, count } => {
            let many = counted(*count, "message");
            Some(format!("that `{subject}` has {many} and no more"))
        }
        _ => None,
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
