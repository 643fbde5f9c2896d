//! What ends a run: checks come true, services drain, the history is judged, and what came true is still so.

use std::pin::pin;

use super::checks;
use super::probe::inboxes::Inboxes;
use super::record;
use super::stage::world::World;
use super::steps::sequence::Progress;
use crate::e2e::scenario::ast::check::Check;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::verdict::breach;
use crate::e2e::verdict::event::RunHistory;
use crate::e2e::verdict::finding::Verdict;
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::report::Report;

/// Each check must come true while the services run: the first that does not, if there is one.
pub(super) async fn come_true(
    world: &mut World,
    fixture: &Fixture,
    checks: &[Check],
    progress: &Progress,
) -> Result<Option<Stop>, Stop> {
    let clock = world.recorder.clock();
    let (oracles, recorder) = (world.oracles().clone(), world.recorder.clone());
    for oracle in &oracles {
        let mut starting = world.services.starting();
        {
            let mut looked_after = pin!(world.services.look_after(fixture));
            let settled = tokio::select! {
                biased;
                stop = &mut looked_after => return Err(stop),
                settled = oracle.settled(&recorder) => settled,
            };
            settled.map_err(|why| Stop::broken("look for what was promised", why))?;
            // What is being started again is not cut short.
            tokio::select! {
                biased;
                stop = &mut looked_after => return Err(stop),
                _ = starting.wait_for(|starting| !starting) => {}
            }
        }
        world.services.crash_if_due().await?;
    }
    let mut unmet = None;
    for check in checks {
        let line = Some(fixture.source.line(&check.span));
        let heading = format!("check {}", check.kind.word());
        world.tape.begin(clock, progress.transcript.text(), line, "check", &heading);
        match comes_true(world, fixture, check).await {
            Err(failed @ Stop::Failed(_)) => {
                unmet = unmet.or(Some(failed));
                if !fixture.is_always_judged {
                    break;
                }
            }
            other => other?,
        }
    }
    world.watch_no_more();
    Ok(unmet)
}

/// After a step that failed: what was promised and is broken, if anything is. What cannot be judged after
/// it is no news.
pub(super) async fn judge_beside(
    world: &mut World,
    fixture: &Fixture,
    inboxes: &Inboxes,
    progress: &mut Progress,
    history: &mut Option<Box<RunHistory>>,
) -> Option<Stop> {
    come_true(world, fixture, &[], progress).await.ok()?;
    let judged = conclude(world, fixture, inboxes, &[], progress, history).await;
    let is_broken = breach::headline(&history.as_ref()?.report).is_some();
    judged.err().filter(|_| is_broken)
}

/// Whether somebody wants to know what the history proves.
pub(super) fn asks_for_a_verdict(fixture: &Fixture) -> bool {
    let judges = |check: &Check| checks::judges_the_history(&check.kind);
    !fixture.promises.is_empty() || fixture.checks.iter().any(judges)
}

/// The services drain and end; the history is judged, also where a check did not come true; and what
/// came true must still be so.
pub(super) async fn conclude(
    world: &mut World,
    fixture: &Fixture,
    inboxes: &Inboxes,
    checks: &[Check],
    progress: &mut Progress,
    history: &mut Option<Box<RunHistory>>,
) -> Result<(), Stop> {
    let clock = world.recorder.clock();
    // Unless a scenario left something paused, this changes nothing.
    world.brokers.resume().await;
    world.look_for_leaks().await;
    world.look_for_hazards().await;
    world.tape.begin(
        clock,
        progress.transcript.text(),
        None,
        "drain",
        "the services drain and end",
    );
    world.services.drain(fixture).await?;
    world.tape.begin(
        clock,
        progress.transcript.text(),
        None,
        "judge",
        "the history, and all checks once more",
    );
    let report = record::conclude(world, fixture, inboxes).await?;
    *history = Some(Box::new(RunHistory {
        verdict: report.word(),
        report: report.clone(),
        switched_off: fixture.switched_off.clone(),
        asked_for: asks_for_a_verdict(fixture),
    }));
    if let Some(headline) = breach::headline(&report) {
        return Err(at_the_promise(fixture, &report, format!("{headline}\n{report}")));
    }
    // Who promises something asks for a verdict.
    if report.leaves_a_promise_open() {
        let message = format!("what was promised cannot be told\n{report}");
        return Err(at_the_promise(fixture, &report, message));
    }
    for check in checks {
        let evidence = checks::still_true(world, fixture, check, &report).await?;
        progress.transcript.check(check, &evidence);
    }
    Ok(())
}

/// A verdict, at the scenario's own promise that it is about, or at the check that asks for it; a promise of
/// the suite has no place in the scenario.
fn at_the_promise(fixture: &Fixture, report: &Report, message: String) -> Stop {
    let open = report.findings.iter().filter(|finding| !matches!(finding.verdict, Verdict::Valid));
    // What is promised follows the name, behind a colon.
    let mut names = open.filter_map(|finding| finding.name.as_ref()?.split(':').next());
    let own = names.find_map(|name| fixture.promise_spans.get(name));
    let asked = || fixture.checks.iter().find(|check| checks::judges_the_history(&check.kind));
    match own.or_else(|| asked().map(|check| &check.span)) {
        Some(span) => Stop::failed(fixture, span, message),
        None => Stop::failed_somewhere(fixture, message),
    }
}

/// Waits until a check holds; where a service is killed meanwhile, it has its time once more.
async fn comes_true(world: &mut World, fixture: &Fixture, check: &Check) -> Result<(), Stop> {
    loop {
        let due = world.services.due();
        tokio::select! {
            biased;
            () = due => {}
            held = checks::comes_true(world, fixture, check) => return held,
        }
        world.services.crash_if_due().await?;
    }
}
