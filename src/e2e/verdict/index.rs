//! An index of a history by operation and by what operations are about, built once for all
//! checkers.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::broken::Broken;
use super::clocks::Clocks;
use crate::e2e::record::history::event::{
    About, Answers, Delivery, Event, Fact, Fault, Invoke, Kind, Reply, What,
};

/// A history by operation and by what operations are about.
#[derive(Debug, Default)]
pub struct Index<'a> {
    /// In the order in which they began.
    pub operations: Vec<Operation<'a>>,
    /// Requests that were answered more than once.
    pub answers: Vec<(&'a Event, &'a Answers)>,
    /// Every delivery, in order.
    pub deliveries: Vec<(&'a Event, &'a Delivery)>,
    /// What oracles learned, in order.
    pub facts: Vec<(&'a Event, &'a Fact)>,
    /// Both ends of each, in order.
    pub faults: Vec<(&'a Event, &'a Fault)>,
    /// Replies to nothing.
    pub strays: Vec<&'a Event>,
    /// Two beginnings with one number.
    pub begun_twice: Vec<(&'a Event, &'a Event)>,
    /// The last event, where it says that the run is over.
    pub end: Option<&'a Event>,
    whole: BTreeSet<&'a str>,
    clocks_us: Option<u64>,
    /// Why second replies were not listened to.
    pub unheard: Option<&'a str>,
    /// Nobody was to listen for any.
    pub noted: bool,
    /// The places of the operations about whatever has this key, in order.
    by_key: HashMap<&'a str, Vec<usize>, RandomState>,
    broken: Broken,
}

/// One operation.
#[derive(Debug)]
pub struct Operation<'a> {
    /// When.
    pub begun: &'a Event,
    /// What.
    pub invoke: &'a Invoke,
    /// What came back first.
    pub returned: Option<&'a Event>,
    /// More replies than one.
    pub again: Vec<&'a Event>,
}

/// The places of operations by their numbers.
type ByOp = HashMap<u64, usize, RandomState>;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It happened.
    Ok,
    /// It certainly did not.
    Fail,
    /// A timeout, or no reply on record at all.
    Unknown,
}

impl<'a> Operation<'a> {
    /// How it ended.
    pub fn ended(&self) -> Ended {
        match self.returned.map(|event| &event.what) {
            Some(What::Ok(_)) => Ended::Ok,
            Some(What::Fail(_)) => Ended::Fail,
            _ => Ended::Unknown,
        }
    }

    /// The reply of one that happened.
    pub fn reply(&self) -> Option<&'a Reply> {
        match self.returned.map(|event| &event.what) {
            Some(What::Ok(reply)) => Some(reply),
            _ => None,
        }
    }

    /// What it is about.
    pub fn about(&self) -> Option<&'a About> {
        self.invoke.about.as_ref()
    }

    /// Its events so far: the invoke, and what came back first.
    pub fn events(&self) -> Vec<&'a Event> {
        [Some(self.begun), self.returned].into_iter().flatten().collect()
    }

    /// Whether it has an effect, and does not only read.
    pub fn is_write(&self) -> bool {
        matches!(self.invoke.kind, Kind::Submit | Kind::Publish)
    }
}

impl<'a> Index<'a> {
    /// Of a history's events, in one pass.
    pub fn new(events: &'a [Event]) -> Self {
        let mut index = Self::default();
        let mut by_op = ByOp::default();
        for event in events {
            match &event.what {
                What::Invoke(invoke) => match by_op.get(&invoke.op) {
                    Some(at) => index.begun_twice.push((index.operations[*at].begun, event)),
                    None => {
                        by_op.insert(invoke.op, index.operations.len());
                        index.begin(event, invoke);
                    }
                },
                What::Ok(Reply { op, .. }) => index.returned(&by_op, *op, event),
                What::Fail(refusal) | What::Unknown(refusal) => {
                    index.returned(&by_op, refusal.op, event);
                }
                What::Answers(answers) => index.answers.push((event, answers)),
                What::Delivery(delivery) => index.deliveries.push((event, delivery)),
                What::Fact(fact) => index.facts.push((event, fact)),
                What::Fault(fault) => index.faults.push((event, fault)),
                What::End(end) => {
                    index.end = Some(event);
                    index.whole = end.whole.iter().map(String::as_str).collect();
                    index.clocks_us = end.clocks_us;
                    index.unheard = end.unheard.as_deref();
                    index.noted = end.noted;
                }
            }
        }
        index.broken = Broken::of(&index.faults);
        index
    }

    fn begin(&mut self, begun: &'a Event, invoke: &'a Invoke) {
        let at = self.operations.len();
        let operation = Operation { begun, invoke, returned: None, again: Vec::new() };
        if let Some(about) = operation.about() {
            self.by_key.entry(&about.key).or_default().push(at);
        }
        self.operations.push(operation);
    }

    fn returned(&mut self, by_op: &ByOp, op: u64, event: &'a Event) {
        match by_op.get(&op).map(|at| &mut self.operations[*at]) {
            None => self.strays.push(event),
            Some(operation) if operation.returned.is_none() => operation.returned = Some(event),
            Some(operation) => operation.again.push(event),
        }
    }

    /// The operation that sent the message with this name in a delivery, if it is the only one.
    pub fn only_write_of(&self, message: &str) -> Option<&Operation<'a>> {
        let about = self.by_key.get(message).into_iter().flatten();
        let mut writes = about.map(|at| &self.operations[*at]).filter(|one| one.is_write());
        writes.next().filter(|_| writes.next().is_none())
    }

    /// The operations about what has the same key, for each key; in order.
    pub fn by_key(&self) -> impl Iterator<Item = impl Iterator<Item = &Operation<'a>> + Clone> {
        self.by_key.values().map(|same| same.iter().map(|at| &self.operations[*at]))
    }

    /// The end, if these records are complete there: an event that they do not have did not happen.
    pub fn end_with_whole(&self, records: &str) -> Option<&'a Event> {
        self.end.filter(|_| self.whole.contains(records))
    }

    /// The bound on what clocks may say of order.
    pub fn clocks(&self) -> Clocks<'a> {
        Clocks { end: self.end.filter(|_| self.clocks_us.is_some()), moved_us: self.clocks_us }
    }

    /// Deliveries of messages that had been delivered before. A broker that was killed may have
    /// forgotten that it delivered one.
    pub fn redelivered(&self) -> usize {
        let mut seen = HashSet::with_hasher(RandomState::default());
        let stored = self.deliveries.iter().map(|(_, delivery)| delivery);
        stored
            .filter(|delivery| delivery.sequence.is_some())
            .filter(|delivery| {
                !seen.insert((&delivery.message, delivery.sequence)) || delivery.attempt > 1
            })
            .count()
    }

    /// The fault that began or ended last.
    pub fn last_fault(&self) -> Option<&'a Event> {
        self.faults.iter().map(|(event, _)| *event).max_by_key(|event| event.at_ns)
    }

    /// Whether a fault began or ended between two times, both included, or lasted from before the
    /// first until after the second.
    pub fn fault_between(&self, from_ns: u64, to_ns: u64) -> bool {
        self.broken.between(from_ns, to_ns)
    }
}
