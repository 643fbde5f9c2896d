//! One promise's operations and effects, by key.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::facts::{self, Asked, Effect, Gap, Known};
use crate::broker::subject_matches as matches;
use crate::e2e::record::history::event::{Event, Invoke, Kind, OPERATIONS};
use crate::e2e::scenario::ast::promise::{self, Promise, Times, Unasked, Verb};
use crate::e2e::verdict::index::{Ended, Index, Operation};
use crate::e2e::verdict::promises::Unreadable;

/// An effect, and when.
pub(super) type Seen<'a> = (&'a Event, Effect);

/// One promise: what was asked for, and what was seen.
pub(super) struct Lives<'i, 'a> {
    pub(super) index: &'i Index<'a>,
    pub(super) promise: Promise,
    /// By key, in the order of the keys.
    pub(super) by_key: BTreeMap<String, Life<'i, 'a>>,
    /// Operations without a key.
    pub(super) keyless: usize,
    /// The numbers of its operations.
    known: HashSet<u64>,
    /// Operations of its kind of which nobody has noted what they are about.
    pub(super) unasked: usize,
    /// Operations with nothing to keep their order with, where there is one.
    pub(super) orderless: usize,
    /// The keys of other promises' operations whose effects may be here: any, where none of this one was
    /// done; else of those that have an effect in one place with this one.
    elsewhere: HashSet<String>,
    /// Effects without one.
    pub(super) keyless_effects: Vec<Seen<'a>>,
    pub(super) gaps: Vec<Gap>,
    /// What was not acknowledged at the end.
    pub(super) in_flight: Option<String>,
}

/// What became of one key.
#[derive(Default)]
pub(super) struct Life<'i, 'a> {
    /// In the order in which they began.
    pub(super) operations: Vec<&'i Operation<'a>>,
    /// What the first of them keeps its order with.
    pub(super) order: Option<String>,
    /// For each effect of the promise, those that were seen, in order.
    pub(super) effects: Vec<Vec<Seen<'a>>>,
}

/// An effect that was promised to an acknowledged operation, and is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Open {
    /// Of which promise.
    pub promise: String,
    /// Which of its effects.
    pub effect: usize,
    /// Of which operation.
    pub key: String,
}

impl<'a> Life<'_, 'a> {
    /// The first that was acknowledged.
    pub(super) fn acknowledged(&self) -> Option<(&Operation<'a>, &'a Event)> {
        let first = self.operations.iter().find(|operation| operation.ended() == Ended::Ok)?;
        Some((first, first.returned?))
    }

    /// One may have been done: it was not refused for certain.
    pub(super) fn may_be(&self) -> bool {
        self.operations.iter().any(|operation| operation.ended() != Ended::Fail)
    }
}

/// All promises of a history, in the order in which they were declared.
pub(super) fn of<'i, 'a>(index: &'i Index<'a>) -> Result<Vec<Lives<'i, 'a>>, Unreadable> {
    let mut all: Vec<Lives<'i, 'a>> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut by_op: HashMap<u64, &'i Operation<'a>> = HashMap::new();
    let known = |event: &Event, fact| {
        Known::of(fact).map_err(|error| Unreadable::new(event, &fact.word, &error))
    };
    // What is promised may be told at the end.
    for (event, fact) in &index.facts {
        if let Some(Known::Promise(promise)) = known(event, fact)? {
            let wrong = |why: String| Unreadable::because(event, &fact.word, &why);
            makes_sense(&promise).map_err(wrong)?;
            if by_name.insert(promise.name.clone(), all.len()).is_some() {
                return Err(wrong(format!("`{}` is promised a second time", promise.name)));
            }
            all.push(Lives::new(index, promise));
        }
    }
    by_op.extend(index.operations.iter().map(|operation| (operation.invoke.op, operation)));
    for (event, fact) in &index.facts {
        let Some(known) = known(event, fact)? else { continue };
        let wrong = |why: String| Unreadable::because(event, &fact.word, &why);
        let of = |name: &str| {
            by_name.get(name).copied().ok_or_else(|| wrong(format!("there is no promise `{name}`")))
        };
        match known {
            Known::Promise(_) => {}
            Known::Asked(asked) => {
                let at = of(&asked.promise)?;
                let operation = by_op.get(&asked.op);
                let none = || wrong(format!("there is no operation {}", asked.op));
                let operation = operation.ok_or_else(none)?;
                if !is_about(&all[at].promise, operation) {
                    let (op, name) = (asked.op, &asked.promise);
                    return Err(wrong(format!("operation {op} is none of promise `{name}`")));
                }
                if !all[at].known.insert(asked.op) {
                    let (op, name) = (asked.op, &asked.promise);
                    return Err(wrong(format!("promise `{name}` has operation {op} already")));
                }
                all[at].asked(asked, operation);
            }
            Known::Effect(effect) => {
                let at = of(&effect.promise)?;
                all[at].promise.has(effect.effect).map_err(wrong)?;
                all[at].seen(event, effect);
            }
            Known::Gap(gap) => {
                let at = of(&gap.promise)?;
                all[at].promise.has(gap.effect).map_err(wrong)?;
                all[at].gaps.push(gap);
            }
            Known::InFlight(busy) => {
                all.iter_mut().for_each(|lives| lives.in_flight = Some(busy.why.clone()));
            }
        }
    }
    for lives in &mut all {
        let of = |one: &&Operation<'_>| is_about(&lives.promise, one);
        let unasked = |one: &&Operation<'_>| !lives.known.contains(&one.invoke.op);
        if lives.promise.operation.verb != Verb::Call {
            lives.unasked = index.operations.iter().filter(of).filter(unasked).count();
        }
        for effects in lives.by_key.values_mut().flat_map(|life| &mut life.effects) {
            effects.sort_by_key(|(event, _)| (event.at_ns, event.seq));
        }
    }
    asked_elsewhere(&mut all);
    Ok(all)
}

/// A promise as a suite can declare it.
fn makes_sense(promise: &Promise) -> Result<(), String> {
    if promise.effects.is_empty() {
        return Err(format!("`{}` has no effect", promise.name));
    }
    promise.ending.as_ref().map_or(Ok(()), |ending| promise.has(ending.effect))
}

/// Whether an operation is one of a promise, by what it does and where; a client's own method may do
/// anything.
fn is_about(promise: &Promise, operation: &Operation<'_>) -> bool {
    let promise::Operation { verb, on } = &promise.operation;
    let Invoke { kind, subject, .. } = operation.invoke;
    match (verb, kind) {
        (Verb::Call, _) => true,
        (Verb::Submit, Kind::Submit)
        | (Verb::Request, Kind::Request | Kind::Status)
        | (Verb::Publish, Kind::Publish) => matches(on, subject),
        _ => false,
    }
}

/// An effect may be of another promise's operation: in the same place, or where no operation of its own
/// promise was done.
fn asked_elsewhere(all: &mut [Lives<'_, '_>]) {
    let asked = |lives: &Lives<'_, '_>| lives.operations() > 0;
    let shares = |one: &Promise, other: &Promise| {
        one.effects.iter().any(|here| other.effects.iter().any(|there| here.at == there.at))
    };
    let elsewhere: Vec<HashSet<String>> = all
        .iter()
        .map(|lives| {
            let others = all.iter().filter(|other| other.promise.name != lives.promise.name);
            let others =
                others.filter(|other| !asked(lives) || shares(&lives.promise, &other.promise));
            let lives = others.flat_map(|other| &other.by_key);
            let asked = lives.filter(|(_, life)| !life.operations.is_empty());
            asked.map(|(key, _)| key.clone()).collect()
        })
        .collect();
    for (lives, elsewhere) in all.iter_mut().zip(elsewhere) {
        lives.elsewhere = elsewhere;
    }
}

impl<'i, 'a> Lives<'i, 'a> {
    fn new(index: &'i Index<'a>, promise: Promise) -> Self {
        Self {
            index,
            promise,
            by_key: BTreeMap::new(),
            keyless: 0,
            known: HashSet::new(),
            unasked: 0,
            orderless: 0,
            elsewhere: HashSet::new(),
            keyless_effects: Vec::new(),
            gaps: Vec::new(),
            in_flight: None,
        }
    }

    fn life(&mut self, key: String) -> &mut Life<'i, 'a> {
        let effects = self.promise.effects.len();
        self.by_key.entry(key).or_insert_with(|| Life {
            effects: (0..effects).map(|_| Vec::new()).collect(),
            ..Life::default()
        })
    }

    fn asked(&mut self, asked: Asked, operation: &'i Operation<'a>) {
        let Some(key) = asked.key else {
            self.keyless += 1;
            return;
        };
        if self.promise.order.is_some() && asked.order.is_none() {
            self.orderless += 1;
        }
        let life = self.life(key);
        if life.operations.is_empty() {
            life.order = asked.order;
        }
        life.operations.push(operation);
    }

    fn seen(&mut self, event: &'a Event, effect: Effect) {
        match effect.key.clone() {
            None => self.keyless_effects.push((event, effect)),
            Some(key) => {
                let at = effect.effect;
                self.life(key).effects[at].push((event, effect));
            }
        }
    }

    /// The effects in one place that are of no operation.
    pub(super) fn strangers(&self, effect: usize) -> impl Iterator<Item = &Seen<'a>> {
        let unasked = self.by_key.values().filter(|life| life.operations.is_empty());
        let unasked = unasked.filter_map(move |life| life.effects.get(effect)).flatten();
        unasked.chain(self.keyless_effects.iter().filter(move |(_, seen)| seen.effect == effect))
    }

    /// Whether another promise's operation may have the effects of this key.
    pub(super) fn is_of_another(&self, key: &str) -> bool {
        self.elsewhere.contains(key)
    }

    /// The effects of a key that were there before anybody asked for it, with the ends of clocks that
    /// tell it: they are of something else.
    pub(super) fn too_early(
        &self,
        life: &Life<'i, 'a>,
        effect: usize,
    ) -> Option<(&'a Event, &'a Event, Vec<&'a Event>)> {
        let (event, _) = life.effects.get(effect)?.first()?;
        let first = life.operations.iter().min_by_key(|one| one.begun.at_ns)?;
        let clocks = self.index.clocks().before(event, first.begun)?;
        Some((event, first.begun, clocks.into_iter().collect()))
    }

    /// Whether nobody may have done such operations unseen.
    pub(super) fn all_is_seen(&self) -> bool {
        self.index.end_with_whole(OPERATIONS).is_some()
    }

    /// The promise in a few words.
    pub(super) fn name(&self) -> String {
        let promise = &self.promise;
        let places: Vec<String> = promise.effects.iter().map(|e| e.at.to_string()).collect();
        format!("{}: {}, {}", promise.name, promise.times.word(), places.join(", "))
    }

    /// A suite's promise is about the scenarios that do such operations, and about the effects that
    /// are there in any other.
    pub(super) fn is_of_this_run(&self) -> bool {
        let mut effects = 0..self.promise.effects.len();
        self.promise.own
            || self.is_asked()
            || effects.any(|effect| self.nobodys(effect).next().is_some())
    }

    /// The effects in one place that nobody can have asked for, where no such operation was done: nobody
    /// acts unseen, none of another promise's operations has their key, and nothing went to such a
    /// subject in another way.
    pub(super) fn nobodys(&self, effect: usize) -> impl Iterator<Item = (&str, &Seen<'a>)> {
        let otherwise = || self.asked_otherwise().next().is_some();
        let look = self.promise.unasked == Unasked::Fail
            && self.all_is_seen()
            && self.operations() == 0
            && !otherwise();
        let lives = self.by_key.iter().filter(move |_| look);
        let lives = lives.filter(|(key, _)| !self.is_of_another(key));
        lives.filter_map(move |(key, life)| Some((key.as_str(), life.effects[effect].first()?)))
    }

    /// What went to such a subject in another way.
    pub(super) fn asked_otherwise(&self) -> impl Iterator<Item = &'i Operation<'a>> {
        let promise::Operation { verb, on } = self.promise.operation.clone();
        let all = self.index.operations.iter().filter(move |_| verb != Verb::Call);
        all.filter(move |one| matches(&on, &one.invoke.subject))
    }

    /// The first that went to such a subject with another verb than the promise's.
    pub(super) fn with_another_verb(&self) -> Option<&'i Operation<'a>> {
        let own = match self.promise.operation.verb {
            Verb::Submit => Kind::Submit,
            Verb::Publish => Kind::Publish,
            Verb::Request | Verb::Call => Kind::Request,
        };
        self.asked_otherwise().find(|one| one.invoke.kind != own)
    }

    /// How many operations there were that have a key.
    pub(super) fn operations(&self) -> usize {
        self.by_key.values().map(|life| life.operations.len()).sum()
    }

    /// What was acknowledged, with its key.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = (&str, &Life<'i, 'a>)> {
        let all = self.by_key.iter().map(|(key, life)| (key.as_str(), life));
        all.filter(|(_, life)| life.acknowledged().is_some())
    }

    /// The effects of one place that count: where it says how things end, those that are an end.
    pub(super) fn counting<'l>(
        &'l self,
        life: &'l Life<'i, 'a>,
        effect: usize,
    ) -> impl Iterator<Item = &'l Seen<'a>> {
        let seen = life.effects[effect].iter();
        seen.filter(move |(_, seen)| self.promise.counts(effect, seen.value.as_deref()))
    }

    /// All that was promised to it is there.
    pub(super) fn is_done(&self, life: &Life<'i, 'a>) -> bool {
        (0..self.promise.effects.len()).all(|effect| self.counting(life, effect).next().is_some())
    }

    /// The end of the run, where what was not seen is not there.
    pub(super) fn end(&self, effect: usize) -> Option<&'a Event> {
        let whole = self.index.end_with_whole(facts::EFFECTS);
        whole.filter(|_| self.is_whole(effect))
    }

    fn is_whole(&self, effect: usize) -> bool {
        self.gaps.iter().all(|gap| gap.effect != effect)
    }

    /// The effects of whose place all was seen: elsewhere an earlier one may be hidden.
    pub(super) fn whole_places(&self) -> impl Iterator<Item = usize> {
        (0..self.promise.effects.len()).filter(|effect| self.is_whole(*effect))
    }

    /// From when on effects have their time: the end of the last operation, and of the last fault.
    pub(super) fn from(&self) -> Option<&'a Event> {
        let operations = self.by_key.values().flat_map(|life| &life.operations);
        let ends = operations.map(|operation| operation.returned.unwrap_or(operation.begun));
        ends.chain(self.index.last_fault()).max_by_key(|event| event.at_ns)
    }

    /// The longest that the first effect of an acknowledged operation took after that.
    pub(super) fn longest_ns(&self) -> Option<u64> {
        let from = self.from()?.at_ns;
        let firsts = self.acknowledged().flat_map(|(_, life)| {
            (0..life.effects.len()).filter_map(|effect| self.counting(life, effect).next())
        });
        firsts.map(|(event, _)| event.at_ns.saturating_sub(from)).max()
    }

    /// Whether anything was asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.keyless > 0 || self.operations() > 0
    }

    /// Its name, and when the first operation of each key was begun.
    pub(super) fn begun(&self) -> (String, HashMap<String, u64>) {
        let by_key = self.by_key.iter().filter_map(|(key, life)| {
            let first = life.operations.first()?;
            Some(((*key).to_owned(), first.begun.at_ns))
        });
        (self.promise.name.clone(), by_key.collect())
    }

    /// What is not there yet of what was acknowledged.
    pub(super) fn open(&self) -> Vec<Open> {
        if self.promise.times == Times::AtMostOnce {
            return Vec::new();
        }
        let missing = self.acknowledged().flat_map(|(key, life)| {
            (0..life.effects.len())
                .filter(|effect| self.counting(life, *effect).next().is_none())
                .map(|effect| Open {
                    promise: self.promise.name.clone(),
                    effect,
                    key: key.to_owned(),
                })
        });
        missing.collect()
    }
}
