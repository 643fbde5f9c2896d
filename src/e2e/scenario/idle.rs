//! Promises of a suite that no scenario puts to the test: their operation is a slip, or is done by
//! nobody. Each run alone may leave one out, so that no run tells.

use super::ast::promise::{Operation, Promise, Verb};
use super::ast::scenario::Fixture;
use super::sent::{may_be, operation};
use crate::e2e::text::error;

/// A promise that is about nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "promise `{name}` of the suite is about `{}` of `{}`, which no step of any scenario does",
    operation.verb.word(), operation.on
)]
pub struct Idle {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub operation: Operation,
    /// What is done, and was perhaps meant: `submit` of `orders.new`.
    pub near: Option<(Verb, String)>,
}

/// The first promise of a suite whose operation is in none of its scenarios.
pub(in crate::e2e) fn idle(promises: &[Promise], fixtures: &[Fixture]) -> Option<Idle> {
    let steps = || fixtures.iter().flat_map(Fixture::all_steps);
    let done = || steps().filter_map(operation);
    let promise = promises.iter().find(|promise| {
        let replaced = |own: &Promise| own.own && own.name == promise.name;
        let Operation { verb, on } = &promise.operation;
        let is_done = |(does, of): (Verb, &str)| does == *verb && may_be(on, of);
        !done().any(is_done) && !fixtures.iter().flat_map(|one| &one.promises).any(replaced)
    })?;
    let on = &promise.operation.on;
    let same = done().find(|(_, of)| may_be(on, of)).map(|(does, _)| (does, on.clone()));
    let near = || {
        let of_verb = done().filter(|(does, _)| *does == promise.operation.verb);
        let near = error::nearest(on, of_verb.map(|(_, of)| of))?;
        Some((promise.operation.verb, near.to_owned()))
    };
    let (name, operation) = (promise.name.clone(), promise.operation.clone());
    Some(Idle { name, operation, near: same.or_else(near) })
}
