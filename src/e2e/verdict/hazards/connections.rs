//! Who listens to what.

use std::collections::{BTreeMap, BTreeSet};

use crate::counted::counted;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::observed::Observed;
use crate::e2e::scenario::ast::hazard::HazardKind;

/// Members of groups, and who listens beside them, to one subject.
#[derive(Default)]
struct Listeners<'a> {
    groups: BTreeSet<&'a str>,
    members: usize,
    beside: usize,
}

pub(super) fn judge(observed: &Observed) -> Vec<Hazard> {
    let mut subjects: BTreeMap<&str, Listeners<'_>> = BTreeMap::new();
    for (subject, group) in &observed.subscriptions {
        let listeners = subjects.entry(subject).or_default();
        match group {
            Some(group) => {
                listeners.groups.insert(group);
                listeners.members += 1;
            }
            None => listeners.beside += 1,
        }
    }
    let mut hazards = Vec::new();
    for (subject, Listeners { groups, members, beside }) in subjects {
        if members > 0 && beside > 0 {
            let groups: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
            let seen = format!(
                "`{subject}` has {} in queue group {}, and {} without it",
                counted(members, "subscription"),
                groups.join(" and "),
                counted(beside, "subscription"),
            );
            hazards.push(Hazard::new(HazardKind::QueueGroupBypassed, seen));
        }
    }
    hazards.extend(observed.slow.iter().map(|(who, why)| {
        Hazard::new(
            HazardKind::SlowConsumer,
            format!("{who} did not keep up, as the server says: {why}"),
        )
    }));
    hazards
}
