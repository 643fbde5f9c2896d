//! The tests of the tests: what behaves is judged valid, and every doctored history is not.

mod alone;
mod cases;
mod model;
mod mutate;
mod promises;

use std::sync::Arc;
use std::time::Duration;

use model::{Dice, Size, valid_history};
use mono_demo::e2e::record::history::{DELIVERIES, End, Event, History, What};
use mono_demo::e2e::verdict;
use mono_demo::e2e::verdict::{Policy, Property, QueueLoss, Report, Verdict, Violation};
use mono_demo::proof::{Proof, QUEUE, breach};
use mutate::{MUTATIONS, Mutant, Mutation};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Longer than any history of the model takes.
const FINAL_WITHIN: Duration = Duration::from_secs(3600);

fn check(history: &History, policy: Policy) -> Report {
    verdict::check(history, policy, &[Arc::new(Proof::default())]).unwrap()
}

/// What the oracle counted under this name.
fn count(report: &Report, name: &str) -> u64 {
    report.figures.promised[name].as_u64().unwrap()
}

fn judged(history: &History) -> Report {
    let policy = Policy { final_within: Some(FINAL_WITHIN), ..Policy::default() };
    check(history, policy)
}

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_260_701),
        ..ProptestConfig::default()
    }
}

fn sizes() -> impl Strategy<Value = Size> {
    (any::<u64>(), 1..40u64, 0..40u64, 0..10u64, any::<bool>()).prop_map(
        |(seed, payments, emails, requests, late)| Size { seed, payments, emails, requests, late },
    )
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn whatever_behaves_is_valid(size in sizes()) {
        let history = valid_history(size);
        let report = judged(&history);
        // Where nothing came to an end, nothing was late, and that proves nothing.
        let ended = ["completed", "failed", "dead_letters"].map(|name| count(&report, name));
        let word = if ended == [0; 3] { "unknown" } else { "valid" };
        prop_assert_eq!(report.word(), word, "{}", report);
    }

    #[test]
    fn a_history_is_the_same_after_it_was_written_and_read(size in sizes()) {
        let history = valid_history(size);
        let text = history.to_json_lines().unwrap();
        prop_assert_eq!(History::read(text.as_bytes()).unwrap(), history);
    }

    #[test]
    fn a_history_that_was_cut_off_is_never_invalid(size in sizes(), percent in 0..100usize) {
        let mut history = valid_history(size);
        history.events.truncate(history.events.len() * percent / 100);
        let report = judged(&history);
        prop_assert!(report.word() != "invalid", "{report}");
    }

    #[test]
    fn a_history_without_its_oracles_is_unknown_and_never_invalid(size in sizes()) {
        let mut history = valid_history(size);
        history.events.retain(|event| {
            let name = serde_json::to_value(event).unwrap();
            ["charge", "outcome", "email", "dead_letter"].iter().all(|key| name.get(key).is_none())
        });
        let last = history.events.len() - 1;
        let whole = [DELIVERIES.to_owned()].into();
        history.events[last].what =
            What::End(End { whole, ..End::default() });
        let report = judged(&history);
        prop_assert!(report.word() != "invalid", "{report}");
        if count(&report, "acknowledged") > 0 {
            prop_assert_eq!(report.word(), "unknown");
        }
    }
}

/// What one of a thousand seeds alone would show.
#[test]
fn a_thousand_worlds_that_behave_are_valid() {
    for seed in 0..1000 {
        let size = Size { seed, payments: 20, emails: 9, requests: 2, late: seed % 2 == 0 };
        let report = judged(&valid_history(size));
        assert!(report.is_valid(), "seed {seed}:\n{report}");
    }
}

/// Worlds in which every mutation finds something to do, most of the time.
fn worlds(count: u64) -> impl Iterator<Item = (u64, History)> {
    (0..count).map(|seed| {
        let size = Size { seed, payments: 30, emails: 30, requests: 5, late: seed % 2 == 0 };
        (seed, valid_history(size))
    })
}

fn shown(report: &Report, property: Property) -> Vec<Violation> {
    match report.verdict(property) {
        Some(Verdict::Invalid { shown, .. }) => shown.clone(),
        _ => Vec::new(),
    }
}

/// Doctors each world in so many of the ways that it is their turn: `1` is all of them. How often each
/// way found something to do.
fn flagged(count: u64, turns: u64) -> Vec<u32> {
    let mut applied = vec![0; MUTATIONS.len()];
    for (seed, history) in worlds(count) {
        let is_due = |(n, _): &(usize, &Mutation)| *n as u64 % turns == seed % turns;
        for (n, mutation) in MUTATIONS.iter().enumerate().filter(is_due) {
            let mut dice = Dice(seed);
            let Some(mutant) = (mutation.apply)(&history, &mut dice) else { continue };
            applied[n] += 1;
            let Mutant { history, touched } = mutant;
            let report = judged(&history);
            let found = shown(&report, mutation.property);
            assert!(
                !found.is_empty(),
                "{} with seed {seed} was not flagged:\n{report}",
                mutation.name
            );
            let named = found
                .iter()
                .any(|violation| violation.evidence.iter().any(|event| touched(&event.what)));
            assert!(
                named,
                "{} with seed {seed}: the evidence is of something else:\n{report}",
                mutation.name
            );
        }
    }
    applied
}

fn often_enough(applied: &[u32], least: u32) {
    for (mutation, times) in MUTATIONS.iter().zip(applied) {
        assert!(*times >= least, "{} was applied to {times} histories only", mutation.name);
    }
}

#[test]
fn every_mutation_is_flagged_with_the_event_that_was_changed() {
    often_enough(&flagged(1000, 10), 10);
}

#[test]
#[ignore = "the long form: minutes"]
fn every_mutation_is_flagged_in_each_of_a_thousand_worlds() {
    often_enough(&flagged(1000, 1), 50);
}

#[test]
fn a_lost_email_is_counted_and_flagged_where_none_may_be_lost() {
    let mut applied = 0;
    for (seed, history) in worlds(50) {
        let Some(mutant) = mutate::email_lost(&history, &mut Dice(seed)) else { continue };
        applied += 1;
        let (before, after) = (judged(&history), judged(&mutant.history));
        assert_eq!(count(&after, "queue_lost"), count(&before, "queue_lost") + 1, "seed {seed}");
        assert_eq!(count(&after, "queue_once"), count(&before, "queue_once") - 1, "seed {seed}");
        let policy = Policy { queue_loss: QueueLoss::Forbidden, ..Policy::default() };
        let strict = check(&mutant.history, policy);
        let Some(Verdict::Invalid { violations, .. }) = strict.verdict(QUEUE) else {
            panic!("seed {seed}: {strict}");
        };
        assert_eq!(*violations as u64, count(&after, "queue_lost"), "seed {seed}: {strict}");
    }
    assert!(applied >= 40, "{applied}");
}

#[test]
fn evidence_shows_the_breach_alone_and_not_without_any_of_its_events() {
    let mut kinds = std::collections::BTreeSet::new();
    for (seed, history) in worlds(20) {
        for mutation in MUTATIONS {
            let Some(mutant) = (mutation.apply)(&history, &mut Dice(seed)) else { continue };
            for finding in judged(&mutant.history).findings {
                let Verdict::Invalid { shown, .. } = finding.verdict else { continue };
                for violation in shown {
                    let shows = |events: Vec<Event>| {
                        let report = judged(&History { events });
                        let found = self::shown(&report, finding.property);
                        found.iter().any(|v| v.breach == violation.breach)
                    };
                    kinds.insert(violation.breach);
                    let evidence = &violation.evidence;
                    assert!(shows(evidence.clone()), "{}: {violation:#?}", mutation.name);
                    for without in 0..evidence.len() {
                        let mut fewer = evidence.clone();
                        fewer.remove(without);
                        assert!(
                            !shows(fewer),
                            "{}: event {} is not needed in {violation:#?}",
                            mutation.name,
                            evidence[without].seq
                        );
                    }
                }
            }
        }
    }
    let never: Vec<_> = breach::ALL.iter().filter(|breach| !kinds.contains(*breach)).collect();
    // Its own test: losses are broken where none may be lost.
    assert_eq!(never, [&breach::LOST_IN_QUEUE], "no mutation shows these");
}
