//! How a promise is broken: lost, twice, unasked, late, out of order, not final.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::Effect;
use super::lives::{Life, Lives, Seen};
use super::unknown::unknown;
use crate::counted::counted;
use crate::e2e::record::history::event::{Event, Fault, Phase, What};
use crate::e2e::scenario::ast::promise::{Times, Unasked};
use crate::e2e::verdict::finding::{Findings, Property, copies};
use crate::e2e::verdict::index::{Ended, Index, Operation};

/// What is judged.
pub const PROMISE: Property = Property { word: "promise", says: "promise" };
/// Acknowledged, and its effect is not there.
pub const LOST: &str = "lost";
/// Its effect is there more than once.
pub const TWICE: &str = "twice";
/// An effect of what nobody asked for, had not asked for yet, or was refused for certain.
pub const UNASKED: &str = "unasked";
/// Its effect came after its time.
pub const LATE: &str = "late";
/// Its effect came before that of what was done earlier.
pub const OUT_OF_ORDER: &str = "out_of_order";
/// It has effects, and none that is an end.
pub const NOT_FINAL: &str = "not_final";
/// Another word after one that is an end.
pub const CHANGED_AFTER_FINAL: &str = "changed_after_final";

/// Holds all of a promise against what was seen.
pub(super) fn check(lives: &Lives<'_, '_>, findings: &mut Findings) {
    findings.looked_at = lives.operations();
    unknown(lives, findings);
    if findings.looked_at == 0 {
        nobodys(lives, findings);
        return;
    }
    let strangers: Vec<_> =
        (0..lives.promise.effects.len()).map(|at| strangers(lives, at)).collect();
    let of_key = |key, life| OfKey { lives, key, life, strangers: &strangers };
    for life in lives.by_key.iter().map(|(key, life)| of_key(key.as_str(), life)) {
        for effect in 0..life.life.effects.len() {
            life.lost(effect, findings);
            life.twice(effect, findings);
            life.unasked(effect, findings);
        }
        life.changed(findings);
    }
    late(lives, lives.promise.within, findings);
    order(lives, findings);
}

/// Effects where no such operation was done at all.
fn nobodys(lives: &Lives<'_, '_>, findings: &mut Findings) {
    for effect in 0..lives.promise.effects.len() {
        for (key, (event, seen)) in lives.nobodys(effect) {
            let message = format!("nobody asked for `{key}`: {}", seen.place);
            findings.broken(UNASKED, message, copies([*event]), []);
        }
    }
}

/// Effects that came after their time.
pub(super) fn late(lives: &Lives<'_, '_>, within: Duration, findings: &mut Findings) {
    let Some(from) = lives.from() else { return };
    let limit = from.at_ns.saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX));
    for (key, life) in lives.acknowledged() {
        for effect in lives.whole_places() {
            let Some((event, seen)) = lives.counting(life, effect).next() else { continue };
            // What has no time of its own may have been there as soon as it was not seen absent.
            if event.at_ns > limit && seen.absent_ns.is_none_or(|absent_ns| absent_ns > limit) {
                let took = Duration::from_nanos(event.at_ns - from.at_ns);
                // What ended with the time that is counted from is over.
                let (begin, end) = (from.at_ns.saturating_add(1), event.at_ns);
                let meanwhile = broken_between(lives.index, begin, end, end);
                let message = format!(
                    "`{key}` was done {took:.1?} after the last operation and fault, which is more \
                     than {within:?}: {}{}",
                    seen.place,
                    told(&meanwhile)
                );
                let context = operation_of(life).into_iter().chain(copies(meanwhile));
                findings.broken(LATE, message, copies([from, event]), context);
            }
        }
    }
}

/// What became of one key, in its promise.
struct OfKey<'l, 'i, 'a> {
    lives: &'l Lives<'i, 'a>,
    key: &'l str,
    life: &'l Life<'i, 'a>,
    /// For each effect of the promise.
    strangers: &'l [Vec<&'l Seen<'a>>],
}

/// The effects in one place that are of no operation, by time.
fn strangers<'l, 'a>(lives: &'l Lives<'_, 'a>, effect: usize) -> Vec<&'l Seen<'a>> {
    let mut all: Vec<&Seen<'a>> = lives.strangers(effect).collect();
    all.sort_by_key(|(event, _)| (event.at_ns, event.seq));
    all
}

impl<'a> OfKey<'_, '_, 'a> {
    fn at(&self, effect: usize) -> String {
        self.lives.promise.effects[effect].at.to_string()
    }

    fn counting(&self, effect: usize) -> Vec<&Seen<'a>> {
        self.lives.counting(self.life, effect).collect()
    }

    fn lost(&self, effect: usize, findings: &mut Findings) {
        let Some((operation, acknowledged)) = self.life.acknowledged() else { return };
        let (Some(end), Times::Once | Times::AtLeastOnce) =
            (self.lives.end(effect), self.lives.promise.times)
        else {
            return;
        };
        if !self.counting(effect).is_empty() {
            return;
        }
        let (key, at) = (self.key, self.at(effect));
        let what = acknowledgement(operation);
        let begun = operation.begun.at_ns;
        let meanwhile = broken_between(self.lives.index, begun, end.at_ns, acknowledged.at_ns);
        let faults = told(&meanwhile);
        let evidence = [operation.begun, acknowledged, end];
        match self.life.effects[effect].last() {
            None => {
                let (seen, elsewhere) = self.instead(effect, acknowledged).unzip();
                let elsewhere = elsewhere.unwrap_or_default();
                let busy = self.lives.in_flight.iter();
                let busy: String = busy.map(|busy| format!("; still in flight: {busy}")).collect();
                let message =
                    format!("`{key}` was {what}, and is not in {at}{elsewhere}{faults}{busy}");
                let context = copies(seen.into_iter().chain(meanwhile));
                findings.broken(LOST, message, copies(evidence), context);
            }
            Some((last, seen)) => {
                let value = seen.value.as_deref().unwrap_or("(nothing)");
                let message = format!(
                    "`{key}` was {what}, and never came to an end: the last word is `{value}` in \
                     {}{faults}",
                    seen.place
                );
                let evidence = copies(evidence.into_iter().chain([*last]));
                findings.broken(NOT_FINAL, message, evidence, copies(meanwhile));
            }
        }
    }

    /// Where what is missing in one place was seen instead: the same key in another place of the
    /// promise, or the next effect in the same place that is nobody's.
    fn instead(&self, effect: usize, acknowledged: &Event) -> Option<(&'a Event, String)> {
        let others = self.life.effects.iter().enumerate().filter(|(at, _)| *at != effect);
        if let Some((event, seen)) = others.flat_map(|(_, seen)| seen).next() {
            return Some((event, format!("; it is in {}", seen.place)));
        }
        let strangers = &self.strangers[effect];
        let next = strangers.partition_point(|(event, _)| event.at_ns < acknowledged.at_ns);
        let (event, seen) = strangers.get(next)?;
        let key = seen.key.as_deref().map_or("no key".to_owned(), |key| format!("the key `{key}`"));
        Some((event, format!("; the next there that is nobody's has {key}: {}", seen.place)))
    }

    fn twice(&self, effect: usize, findings: &mut Findings) {
        let counting = self.counting(effect);
        if self.lives.promise.times == Times::AtLeastOnce || counting.len() < 2 {
            return;
        }
        let (first, second) = (counting[0], counting[1]);
        // Two different ends are told as a change.
        if first.1.value != second.1.value {
            return;
        }
        let begun = self.life.operations.first().map_or(0, |operation| operation.begun.at_ns);
        let (index, until) = (self.lives.index, second.0.at_ns);
        let meanwhile = broken_between(index, begun, until, until);
        let message = format!(
            "`{}` is {} in {}, not once: {} and {}{}",
            self.key,
            counted(counting.len(), "time"),
            self.at(effect),
            first.1.place,
            second.1.place,
            told(&meanwhile)
        );
        let context = operation_of(self.life).into_iter().chain(copies(meanwhile));
        findings.broken(TWICE, message, copies([first.0, second.0]), context);
    }

    fn unasked(&self, effect: usize, findings: &mut Findings) {
        let allowed = self.lives.promise.unasked == Unasked::Ignore || !self.lives.all_is_seen();
        let Some((event, seen)) = self.life.effects[effect].first() else { return };
        match self.life.operations.last() {
            None if self.lives.is_of_another(self.key) => {}
            // It may be of that one: `unknown` says so.
            None if self.lives.with_another_verb().is_some() => {}
            None if !allowed => {
                let message = format!("nobody asked for `{}`: {}", self.key, seen.place);
                findings.broken(UNASKED, message, copies([*event]), []);
            }
            Some(last) if !self.life.may_be() => {
                let message = format!(
                    "`{}` was refused for certain, and was done all the same: {}",
                    self.key, seen.place
                );
                let evidence = copies(last.events().into_iter().chain([*event]));
                findings.broken(UNASKED, message, evidence, []);
            }
            Some(_) if !allowed => self.too_early(effect, seen, findings),
            _ => {}
        }
    }

    /// An effect that was there before anybody asked for it is of something else.
    fn too_early(&self, effect: usize, seen: &Effect, findings: &mut Findings) {
        let Some((event, begun, clocks)) = self.lives.too_early(self.life, effect) else { return };
        let before = Duration::from_nanos(begun.at_ns.saturating_sub(event.at_ns));
        let message = format!(
            "`{}` was done {before:.1?} before anybody asked for it: {}",
            self.key, seen.place
        );
        let evidence = copies([event, begun].into_iter().chain(clocks));
        findings.broken(UNASKED, message, evidence, []);
    }

    /// Whatever follows an end, and is not the same word.
    fn changed(&self, findings: &mut Findings) {
        let Some(ending) = &self.lives.promise.ending else { return };
        let Some(seen) = self.life.effects.get(ending.effect) else { return };
        let is_end = |(_, seen): &Seen<'a>| ending.is_final(seen.value.as_deref());
        let Some(at) = seen.iter().position(is_end) else { return };
        let end = &seen[at];
        if let Some(after) = seen[at + 1..].iter().find(|after| after.1.value != end.1.value) {
            let word = |seen: &Seen<'a>| seen.1.value.clone().unwrap_or_default();
            let message = format!(
                "`{}` was `{}` for good in {}, and then `{}` in {}",
                self.key,
                word(end),
                end.1.place,
                word(after),
                after.1.place
            );
            let context = operation_of(self.life);
            findings.broken(CHANGED_AFTER_FINAL, message, copies([end.0, after.0]), context);
        }
    }
}

/// The first effect of an operation, what became of it, and its key.
type Done<'l, 'i, 'a> = (&'l Seen<'a>, &'l Life<'i, 'a>, &'l str);

/// Effects of operations that keep their order: only what was acknowledged before another began was
/// surely first.
fn order(lives: &Lives<'_, '_>, findings: &mut Findings) {
    let mut lines: BTreeMap<(usize, &str), Vec<Done<'_, '_, '_>>> = BTreeMap::new();
    for (key, life) in lives.acknowledged() {
        // What was done more than once has no one place in the order.
        let (Some(order), [_]) = (&life.order, life.operations.as_slice()) else { continue };
        for effect in lives.whole_places() {
            if let Some(first) = lives.counting(life, effect).next() {
                lines.entry((effect, order)).or_default().push((first, life, key));
            }
        }
    }
    for ((_, order), mut line) in lines {
        line.sort_by_key(|((event, _), ..)| (event.at_ns, event.seq));
        let mut latest: Option<(&Seen<'_>, &Operation<'_>, &str)> = None;
        for (seen, life, key) in line {
            let Some((operation, acknowledged)) = life.acknowledged() else { continue };
            match latest {
                Some((before, later, other)) if later.begun.seq > acknowledged.seq => {
                    let message = format!(
                        "`{key}` of `{order}` was acknowledged before `{other}` was asked for, and \
                         was done after it: {} before {}",
                        before.1.place, seen.1.place
                    );
                    let evidence =
                        copies([operation.begun, acknowledged, later.begun, before.0, seen.0]);
                    findings.broken(OUT_OF_ORDER, message, evidence, []);
                }
                Some((_, later, _)) if later.begun.seq > operation.begun.seq => {}
                _ => latest = Some((seen, operation, key)),
            }
        }
    }
}

/// `acknowledged (sequence 4) for client-1`.
fn acknowledgement(operation: &Operation<'_>) -> String {
    let process = &operation.invoke.process;
    match operation.reply().and_then(|reply| reply.sequence) {
        Some(sequence) => format!("acknowledged to {process} (sequence {sequence})"),
        None if operation.ended() == Ended::Ok => format!("acknowledged to {process}"),
        None => format!("asked for by {process}"),
    }
}

fn operation_of(life: &Life<'_, '_>) -> Vec<Event> {
    life.operations.iter().take(2).flat_map(|operation| copies(operation.events())).collect()
}

/// What was broken in this time, the nearest to a moment first.
fn broken_between<'a>(index: &Index<'a>, from_ns: u64, to_ns: u64, near_ns: u64) -> Vec<&'a Event> {
    let begun = index.faults.iter().filter(|(_, fault)| fault.phase == Phase::Begin);
    let lasts = |event: &Event, fault: &Fault| {
        let ends = index.faults.iter().filter(|(end, ended)| {
            ended.phase == Phase::End && ended.name == fault.name && end.seq > event.seq
        });
        // What has no end is broken still, or was for a moment: both may be why.
        ends.map(|(end, _)| end.at_ns).next().is_none_or(|end| end >= from_ns)
    };
    let within = begun.filter(|(event, fault)| event.at_ns <= to_ns && lasts(event, fault));
    let mut within: Vec<&Event> = within.map(|(event, _)| *event).collect();
    within.sort_by_key(|event| event.at_ns.abs_diff(near_ns));
    within
}

/// `; broken meanwhile: kill-broker, kill-services`; the first three.
fn told(faults: &[&Event]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for event in faults {
        if let What::Fault(fault) = &event.what
            && !names.contains(&fault.name.as_str())
            && names.len() < 3
        {
            names.push(&fault.name);
        }
    }
    match names.is_empty() {
        true => String::new(),
        false => format!("; broken meanwhile: {}", names.join(", ")),
    }
}
