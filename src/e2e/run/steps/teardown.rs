//! What the teardown adds to what the steps came to.

use crate::e2e::record::run::Failure;
use crate::e2e::scenario::ast::step::Step;
use crate::e2e::scenario::fill::used;
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::outcome::Stop;

/// The first that went wrong, with what went wrong in the teardown told beside it.
pub(in crate::e2e) fn beside(
    first: Result<(), Stop>,
    teardown: Result<(), Stop>,
) -> Result<(), Stop> {
    let Err(teardown) = teardown else { return first };
    let Err(first) = first else { return Err(teardown) };
    let told = match teardown {
        Stop::Failed(failure) => failure.excerpt.unwrap_or(failure.message),
        Stop::Broken(reason) | Stop::Skipped(reason) => reason,
    };
    Err(match first {
        Stop::Failed(failure) => Stop::Failed(Failure {
            message: format!("{}; and the teardown failed", failure.message),
            excerpt: Some(format!(
                "{}\n\nand in the teardown\n{told}",
                failure.excerpt.unwrap_or_default()
            )),
            ..failure
        }),
        Stop::Broken(reason) => Stop::Broken(format!("{reason}\nand in the teardown: {told}")),
        // It would go unnoticed beside a run that is left out.
        Stop::Skipped(_) => Stop::Broken(format!("in the teardown: {told}")),
    })
}

/// A value that a step uses and that nothing has saved.
pub(in crate::e2e) fn missing(step: &Step, variables: &Variables) -> Option<String> {
    let used = used(&step.action, &step.expects);
    used.into_iter().find(|name| !["n", "k"].contains(&&**name) && !variables.contains_key(name))
}
