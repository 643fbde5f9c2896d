//! The promises that a suite declares, held against a history.
//!
//! A history has all that this needs: what was promised, which operations are about it, and each
//! effect that was seen, so that a kept one is judged again without its suite.
//!
//! | file | idea |
//! | --- | --- |
//! | [`facts`] | what a history says of promises |
//! | `lives` | one promise's operations and effects, by key |
//! | `breaches` | lost, twice, unasked, late, out of order, not final |
//! | `unknown` | what a history cannot tell of them |
//! | `figures` | the same in numbers |

mod breaches;
pub mod facts;
mod figures;
mod lives;
mod unknown;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::finding::{Finding, Findings};
use super::index::Index;
use super::policy::Policy;
use super::promises::{FINAL, Judged, Promises, Unreadable};
use crate::e2e::record::history::event::Fact;
use crate::e2e::record::trace::Party;
use facts::Known;
use figures::Figures;
use lives::Lives;

pub use breaches::{
    CHANGED_AFTER_FINAL, LATE, LOST, NOT_FINAL, OUT_OF_ORDER, PROMISE, TWICE, UNASKED,
};
pub use lives::Open;

/// What a suite declares.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declared;

impl Promises for Declared {
    fn facts(&self) -> &'static [&'static str] {
        facts::WORDS
    }

    fn judge(&self, index: &Index<'_>, policy: Policy) -> Result<Judged, Unreadable> {
        let mut judged = Judged::default();
        let mut by_name = Map::new();
        let mut all = Figures::default();
        for lives in lives::of(index)? {
            if !lives.is_of_this_run() {
                judged.lines.extend(otherwise(&lives));
                continue;
            }
            let mut findings = Findings::default();
            breaches::check(&lives, &mut findings);
            let figures = figures::figures(&lives, &findings);
            judged.findings.push(Finding { name: Some(lives.name()), ..findings.finish(PROMISE) });
            judged.findings.extend(policy.final_within.map(|within| finality(&lives, within)));
            let endings = judged.endings.get_or_insert_default();
            endings.open += figures.lost;
            endings.longest_ns = endings.longest_ns.max(lives.longest_ns());
            judged.lines.push(figures.line(&lives.promise.name));
            all.add(&figures);
            by_name.insert(lives.promise.name.clone(), figures.json());
        }
        if !by_name.is_empty() {
            if let Value::Object(sums) = all.json() {
                judged.figures = sums;
            }
            judged.figures.insert("promises".to_owned(), Value::Object(by_name));
        }
        Ok(judged)
    }

    fn told(&self, fact: &Fact) -> Option<(Party, String)> {
        match Known::of(fact).ok()?? {
            Known::Effect(effect) => {
                let key = effect.key.as_deref().unwrap_or("(no key)");
                let value = effect.value.map(|value| format!(" is {value}")).unwrap_or_default();
                Some((
                    Party::Services,
                    format!("{} {key}{value}: {}", effect.promise, effect.place),
                ))
            }
            _ => None,
        }
    }
}

/// That a promise of the suite was looked at for nothing, though something went to such a subject.
fn otherwise(lives: &Lives<'_, '_>) -> Option<String> {
    let (name, operation) = (&lives.promise.name, &lives.promise.operation);
    let first = lives.asked_otherwise().next()?;
    Some(format!(
        "promise {name}: 0 looked at; what was done on `{}` is no `{}`",
        first.invoke.subject,
        operation.verb.word()
    ))
}

/// Whether all that was acknowledged had its end so soon after the last operation and fault.
fn finality(lives: &Lives<'_, '_>, within: std::time::Duration) -> Finding {
    let mut findings = Findings::default();
    breaches::late(lives, within, &mut findings);
    findings.looked_at = lives.acknowledged().count();
    Finding { name: Some(lives.name()), ..findings.finish(FINAL) }
}

/// What is not there yet of what was acknowledged, for whoever waits for it; `None` where nothing was
/// asked for.
///
/// # Errors
/// [`Unreadable`]: a fact has another shape than it is written in.
pub fn open(index: &Index<'_>) -> Result<Option<Vec<Open>>, Unreadable> {
    let all = lives::of(index)?;
    let is_asked = all.iter().any(Lives::is_asked);
    Ok(is_asked.then(|| all.iter().flat_map(Lives::open).collect()))
}

/// When the first operation with a key of a promise was begun, by promise and key, in nanoseconds.
pub type Begun = HashMap<String, HashMap<String, u64>>;

/// When operations of all promises were begun.
///
/// # Errors
/// [`Unreadable`]: a fact has another shape than it is written in.
pub fn begun(index: &Index<'_>) -> Result<Begun, Unreadable> {
    let all = lives::of(index)?;
    Ok(all.iter().map(Lives::begun).collect())
}

#[cfg(test)]
mod tests;
