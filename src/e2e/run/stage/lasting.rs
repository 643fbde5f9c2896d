//! A fault that lasts until another one mends it.

use crate::broker::Fault;
use crate::counted::counted;
use crate::e2e::record::run::Failure;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::span::Span;
use crate::e2e::verdict::outcome::Stop;

/// A fault that has begun and was not mended.
#[derive(Clone)]
pub(in crate::e2e) struct Lasting {
    pub(in crate::e2e) fault: Fault,
    /// Its name in the history.
    pub(in crate::e2e) name: String,
    /// Of its step.
    pub(in crate::e2e) span: Span,
}

impl Lasting {
    /// Which, since where, and what would end it.
    fn told(&self, fixture: &Fixture) -> String {
        let line = fixture.source.line(&self.span);
        let mender = self.fault.what.mended_by();
        let mender = mender.map(|what| format!(": a step `fault = \"{}\"` ends it", what.word()));
        format!("`{}` of line {line} lasts still{}", self.name, mender.unwrap_or_default())
    }
}

/// Tells beside why a run did not hold what is broken still.
pub(in crate::e2e) fn beside(lasting: &[Lasting], fixture: &Fixture, stop: Stop) -> Stop {
    let told: Vec<String> = lasting.iter().map(|one| one.told(fixture)).collect();
    let (Some(first), more) = (told.first(), told.len().saturating_sub(1)) else { return stop };
    let told = match more {
        0 => first.clone(),
        1 | 2 => told.join("; "),
        more => format!("{first}; and {} more", counted(more, "fault")),
    };
    // On a line of its own: what is broken still is no part of what differs.
    match stop {
        Stop::Failed(failure) => Stop::Failed(Failure {
            message: format!("{}\n{told}", failure.message),
            excerpt: failure.excerpt.map(|excerpt| format!("{excerpt}\n  = {told}")),
            ..failure
        }),
        Stop::Broken(reason) => Stop::Broken(format!("{reason}; {told}")),
        skipped @ Stop::Skipped(_) => skipped,
    }
}
