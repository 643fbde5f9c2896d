//! What a history cannot tell of a promise, and why.

use super::facts::EFFECTS;
use super::lives::{Life, Lives};
use crate::counted::counted;
use crate::e2e::scenario::ast::promise::{Times, Unasked};
use crate::e2e::verdict::finding::Findings;

/// What cannot be told, and why.
pub(super) fn unknown(lives: &Lives<'_, '_>, findings: &mut Findings) {
    let promise = &lives.promise;
    let operation = format!("{} {}", promise.operation.verb.word(), promise.operation.on);
    let none = lives.operations() == 0 && lives.keyless == 0;
    if none && promise.own {
        findings.unknown(format!("no `{operation}` was done: there is nothing to look at"));
    } else if !none && lives.acknowledged().next().is_none() {
        findings.unknown(format!("no `{operation}` was acknowledged: nothing was promised of it"));
    }
    if lives.keyless > 0 {
        let many = counted(lives.keyless, "operation");
        findings.unknown(format!("{many} on `{}` had no key", promise.operation.on));
    }
    if lives.unasked > 0 {
        let many = counted(lives.unasked, "operation");
        findings
            .unknown(format!("of {many} on `{}` the key is not on record", promise.operation.on));
    }
    if lives.orderless > 0 {
        let many = counted(lives.orderless, "operation");
        let on = &promise.operation.on;
        findings.unknown(format!("{many} on `{on}` had nothing at the place that `order` names"));
    }
    if lives.index.end_with_whole(EFFECTS).is_none() {
        findings.unknown("the history ends before the effects were looked for".to_owned());
    }
    for gap in &lives.gaps {
        findings.unknown(gap.why.clone());
    }
    if let Some(busy) = &lives.in_flight
        && promise.times != Times::AtLeastOnce
    {
        findings.unknown(format!(
            "what is in flight may be done once more: {busy}; a longer `within` tells"
        ));
    }
    nothing_seen(lives, findings);
    whose(lives, findings);
}

/// Where nothing was ever seen, nothing was seen twice: of a place that is not there as well.
fn nothing_seen(lives: &Lives<'_, '_>, findings: &mut Findings) {
    let promise = &lives.promise;
    if promise.times != Times::AtMostOnce || lives.acknowledged().next().is_none() {
        return;
    }
    for (at, effect) in promise.effects.iter().enumerate() {
        let seen = lives.by_key.values().any(|life| !life.effects[at].is_empty());
        if !seen && lives.keyless_effects.iter().all(|(_, seen)| seen.effect != at) {
            findings.unknown(format!(
                "nothing was ever seen in {}: that nothing is there twice proves nothing",
                effect.at
            ));
        }
    }
}

/// Effects of which nobody knows who asked for them.
fn whose(lives: &Lives<'_, '_>, findings: &mut Findings) {
    let promise = &lives.promise;
    if promise.unasked == Unasked::Ignore {
        return;
    }
    for (at, effect) in promise.effects.iter().enumerate() {
        let keyless = lives.keyless_effects.iter().filter(|(_, seen)| seen.effect == at).count();
        if keyless == 0 {
            continue;
        }
        let (many, at) = (counted(keyless, "effect"), &effect.at);
        findings.unknown(format!("{many} in {at} had no key: whose they are is not known"));
    }
    let unasked = |(key, life): &(&String, &Life<'_, '_>)| {
        life.operations.is_empty() && !lives.is_of_another(key)
    };
    if lives.all_is_seen() {
        let many = lives.by_key.iter().filter(unasked).count();
        if let Some(other) = lives.with_another_verb().filter(|_| many > 0 && lives.is_asked()) {
            findings.unknown(format!(
                "{} that no `{}` asked for: what was done on `{}` in another way may have",
                counted(many, "effect"),
                promise.operation.verb.word(),
                other.invoke.subject
            ));
        }
        return;
    }
    let early = |(_, life): &(&String, &Life<'_, '_>)| {
        (0..life.effects.len()).any(|effect| lives.too_early(life, effect).is_some())
    };
    let unseen =
        "a step that is not on record may have (`run`, `http`, or one that writes to a bucket)";
    for (many, what) in [
        (lives.by_key.iter().filter(unasked).count(), "that no client asked for on record"),
        (lives.by_key.iter().filter(early).count(), "before any client on record asked for it"),
    ] {
        if many > 0 {
            findings.unknown(format!("{} {what}: {unseen}", counted(many, "effect")));
        }
    }
}
