//! Promises of a suite that no scenario puts to the test: their operation is a slip, or is done by
//! nobody, or whoever does it switches them off. Each run alone may leave one out, so that no run tells.

use super::ast::promise::{Operation, Promise, Verb};
use super::ast::scenario::Fixture;
use super::sent::{may_be, operation};
use crate::e2e::text::error;

/// A promise that nobody looks at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Idle {
    /// It is about nothing.
    #[error(
        "promise `{name}` of the suite is about `{}` of `{}`, which no step of any scenario does",
        operation.verb.word(), operation.on
    )]
    NothingDone {
        /// Its name.
        name: String,
        /// What it is about.
        operation: Operation,
        /// What is done, and was perhaps meant: `submit` of `orders.new`.
        near: Option<(Verb, String)>,
    },
    /// It is held against nobody.
    #[error(
        "promise `{name}` of the suite is switched off by every scenario that does `{}` of `{}`: nobody \
         looks at it",
        operation.verb.word(), operation.on
    )]
    SwitchedOff {
        /// Its name.
        name: String,
        /// What it is about.
        operation: Operation,
    },
}

/// The first promise of a suite whose operation is in none of its scenarios.
pub(in crate::e2e) fn idle(promises: &[Promise], fixtures: &[Fixture]) -> Option<Idle> {
    let steps = || fixtures.iter().flat_map(Fixture::all_steps);
    let done = || steps().filter_map(operation);
    let promise = promises.iter().find(|promise| {
        let is_done = |fixture: &Fixture| does(promise, fixture);
        !fixtures.iter().any(|fixture| is_done(fixture) || replaces(promise, fixture))
    })?;
    let on = &promise.operation.on;
    let same = done().find(|(_, of)| may_be(on, of)).map(|(does, _)| (does, on.clone()));
    let near = || {
        let of_verb = done().filter(|(does, _)| *does == promise.operation.verb);
        let near = error::nearest(on, of_verb.map(|(_, of)| of))?;
        Some((promise.operation.verb, near.to_owned()))
    };
    let (name, operation) = (promise.name.clone(), promise.operation.clone());
    Some(Idle::NothingDone { name, operation, near: same.or_else(near) })
}

/// The first promise of a suite that each scenario with its operation switches off.
pub(in crate::e2e) fn switched_off(promises: &[Promise], fixtures: &[Fixture]) -> Option<Idle> {
    let promise = promises.iter().find(|promise| {
        let is_off = |fixture: &Fixture| fixture.switched_off.contains(&promise.name);
        let holds = |fixture: &Fixture| {
            replaces(promise, fixture) || does(promise, fixture) && !is_off(fixture)
        };
        fixtures.iter().any(is_off) && !fixtures.iter().any(holds)
    })?;
    let (name, operation) = (promise.name.clone(), promise.operation.clone());
    Some(Idle::SwitchedOff { name, operation })
}

/// Whether a scenario does what a promise is about.
fn does(promise: &Promise, fixture: &Fixture) -> bool {
    let Operation { verb, on } = &promise.operation;
    let mut done = fixture.all_steps().filter_map(operation);
    done.any(|(does, of)| does == *verb && may_be(on, of))
}

/// Whether a scenario makes it itself, in other words.
fn replaces(promise: &Promise, fixture: &Fixture) -> bool {
    fixture.promises.iter().any(|own| own.own && own.name == promise.name)
}
