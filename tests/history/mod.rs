//! The tests of the tests: what behaves is judged valid, and every doctored history is not.

mod cases;
mod model;
mod mutate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Dice, Size, valid_history};
use mono_demo::e2e::record::history::{DELIVERIES, End, Event, History, What};
use mono_demo::e2e::verdict;
use mono_demo::e2e::verdict::{Policy, Property, QueueLoss, Report, Verdict, Violation};
use mono_demo::proof::{Proof, QUEUE};
use mutate::{MUTATIONS, Mutant};
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
    (any::<u64>(), 0..40u64, 0..40u64, 0..10u64, any::<bool>()).prop_map(
        |(seed, payments, emails, requests, late)| Size { seed, payments, emails, requests, late },
    )
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn whatever_behaves_is_valid(size in sizes()) {
        let history = valid_history(size);
        let report = judged(&history);
        prop_assert!(report.is_valid(), "{report}");
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
            What::End(End { whole });
        let report = judged(&history);
        prop_assert!(report.word() != "invalid", "{report}");
        if count(&report, "acknowledged") > 0 {
            prop_assert_eq!(report.word(), "unknown");
        }
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

#[test]
fn every_mutation_is_flagged_with_the_event_that_was_changed() {
    let mut applied = vec![0; MUTATIONS.len()];
    for (seed, history) in worlds(100) {
        for (n, mutation) in MUTATIONS.iter().enumerate() {
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
    for (n, mutation) in MUTATIONS.iter().enumerate() {
        assert!(applied[n] >= 20, "{} was applied to {} histories only", mutation.name, applied[n]);
    }
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
        for mutation in &MUTATIONS {
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
    assert!(kinds.len() >= 18, "only {kinds:?}");
}

#[test]
fn a_hundred_thousand_events_are_checked_in_well_under_a_second() {
    let size = Size { seed: 1, payments: 10_000, emails: 6_000, requests: 1_000, late: true };
    let history = valid_history(size);
    assert!(history.events.len() > 80_000, "{}", history.events.len());
    let started = Instant::now();
    let report = judged(&history);
    let took = started.elapsed();
    assert!(report.is_valid(), "{report}");
    // A debug build on a busy machine has ten times as long.
    let bound = if cfg!(debug_assertions) { 10 } else { 1 };
    assert!(took < Duration::from_secs(bound), "{took:?}");
}
