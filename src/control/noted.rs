//! Faults of a session, as all of its histories have them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::broker;
use crate::e2e::run::OpenHistory;
use crate::wire::control::{Broken, Done, Fault, Span};

/// What is broken, and who is told. One lock for both, so that a history that begins misses nothing.
#[derive(Default)]
pub(super) struct Noted(Mutex<Shared>);

#[derive(Default)]
struct Shared {
    last: u64,
    faults: BTreeMap<u64, Entry>,
    /// Those that are gone are told nothing.
    histories: Vec<Weak<OpenHistory>>,
}

/// A fault that has not ended.
struct Entry {
    name: String,
    /// How, once it was injected.
    stands: Option<Broken>,
    /// What is broken: by name, or nodes as `three/1`.
    whom: BTreeSet<String>,
}

/// A fault that is being injected.
pub(super) struct Injecting {
    of: String,
    span: Span,
    /// Its number, where something is broken by it.
    number: Option<u64>,
}

impl Noted {
    /// A history begins, with what stands already.
    pub(super) fn tell(&self, history: &Arc<OpenHistory>) {
        let mut shared = self.lock();
        for (number, entry) in &shared.faults {
            history.begins(*number, &entry.name);
            if entry.stands.is_some() {
                history.stands(*number);
            }
        }
        shared.histories.push(Arc::downgrade(history));
    }

    /// A fault is about to be injected.
    pub(super) fn begins(&self, of: &str, fault: &Fault) -> Injecting {
        let mut shared = self.lock();
        let word = fault.word();
        let whom = fault.node().map_or(of.to_owned(), |node| format!("{of}/{node}"));
        let span = fault.span();
        let breaks = match span {
            Span::Lasting(_) | Span::Momentary => true,
            Span::Messages | Span::Mends(_) => false,
            Span::Renews(kinds) => shared.broken(&whom, kinds).is_empty(),
        };
        let number = breaks.then(|| shared.begin(format!("{word} {whom}")));
        Injecting { of: of.to_owned(), span, number }
    }

    /// It was injected.
    pub(super) fn was_done(&self, injecting: Injecting, done: &Done) {
        let mut shared = self.lock();
        let Injecting { of, span, number } = injecting;
        let whom: BTreeSet<String> = match &*done.nodes {
            [] => BTreeSet::from([of]),
            nodes => nodes.iter().map(|node| format!("{of}/{node}")).collect(),
        };
        match (span, number) {
            (Span::Lasting(how), Some(number)) => shared.stands(number, how, whom),
            (Span::Mends(kinds) | Span::Renews(kinds), None) => {
                whom.iter().for_each(|whom| shared.mend(whom, kinds));
            }
            (_, Some(number)) => shared.happened(number),
            (_, None) => {}
        }
    }

    /// It was refused.
    pub(super) fn was_refused(&self, injecting: &Injecting) {
        if let Some(number) = injecting.number {
            self.lock().never_was(number);
        }
    }

    /// This is stopped, and nothing of it is broken any more.
    pub(super) fn is_gone(&self, name: &str) {
        const ALL: [Broken; 4] = [Broken::Away, Broken::Paused, Broken::CutOff, Broken::Network];
        self.lock().mend(name, &ALL);
    }

    /// How many servers of this stand still.
    pub(super) fn paused(&self, of: &str) -> usize {
        let shared = self.lock();
        let such = |how: Broken| {
            let entries = shared.faults.values().filter(move |entry| entry.stands == Some(how));
            entries.flat_map(|entry| &entry.whom).filter(|whom| is_part(whom, of))
        };
        let away: BTreeSet<&String> = such(Broken::Away).collect();
        such(Broken::Paused).filter(|whom| !away.contains(whom)).collect::<BTreeSet<_>>().len()
    }

    /// A fault has hit a message.
    pub(super) fn hits(&self, hit: &broker::Hit) {
        self.lock().tell(|history| history.hits(hit));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn tell(&mut self, tells: impl Fn(&OpenHistory)) {
        self.histories.retain(|history| {
            history.upgrade().is_some_and(|open| {
                tells(&open);
                true
            })
        });
    }

    fn begin(&mut self, name: String) -> u64 {
        self.last += 1;
        let number = self.last;
        self.tell(|history| history.begins(number, &name));
        self.faults.insert(number, Entry { name, stands: None, whom: BTreeSet::new() });
        number
    }

    fn stands(&mut self, number: u64, how: Broken, whom: BTreeSet<String>) {
        let Some(mut entry) = self.faults.remove(&number) else { return };
        (entry.stands, entry.whom) = (Some(how), whom);
        let is_same = |other: &Entry| {
            other.stands.is_some()
                && other.name == entry.name
                && other.whom.is_superset(&entry.whom)
        };
        // It was so already, as of one that is killed twice.
        if self.faults.values().any(is_same) {
            return self.tell(|history| history.never_was(number));
        }
        self.faults.insert(number, entry);
        self.tell(|history| history.stands(number));
    }

    fn happened(&mut self, number: u64) {
        self.faults.remove(&number);
        self.tell(|history| {
            history.stands(number);
            history.ends(number);
        });
    }

    fn never_was(&mut self, number: u64) {
        self.faults.remove(&number);
        self.tell(|history| history.never_was(number));
    }

    /// What stands of this, or of a node of it, and is of these kinds.
    fn broken(&self, whom: &str, kinds: &[Broken]) -> Vec<u64> {
        let stands = self.faults.iter().filter(|(_, entry)| {
            let is_of_kind = entry.stands.is_some_and(|how| kinds.contains(&how));
            is_of_kind && entry.whom.iter().any(|broken| is_part(broken, whom))
        });
        stands.map(|(number, _)| *number).collect()
    }

    /// Nothing of this is broken in these ways any more: a fault of several nodes ends with the last.
    fn mend(&mut self, whom: &str, kinds: &[Broken]) {
        for number in self.broken(whom, kinds) {
            let Some(entry) = self.faults.get_mut(&number) else { continue };
            entry.whom.retain(|broken| !is_part(broken, whom));
            if entry.whom.is_empty() {
                self.faults.remove(&number);
                self.tell(|history| history.ends(number));
            }
        }
    }
}

/// Whether one is the other, or a node of it.
fn is_part(one: &str, whole: &str) -> bool {
    one.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
