//! When checks look: until each holds, and once more when everything has drained.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::oracle::Oracle;
use super::probe::advisories::How;
use super::probe::broker_trace::end;
use super::probe::{drift, evidence, inventory};
use super::stage::hearing::Heard;
use super::stage::world::World;
use crate::e2e::record::history::reader::History;
use crate::e2e::scenario::ast::check::{Check, CheckKind};
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::verdict::checks::answer::Answer;
use crate::e2e::verdict::checks::drift::Found;
use crate::e2e::verdict::checks::held;
use crate::e2e::verdict::checks::judged::{final_within, history};
use crate::e2e::verdict::checks::records::valid;
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::recovery;
use crate::e2e::verdict::report::Report;

/// Waits until a check holds.
pub(in crate::e2e) async fn comes_true(
    world: &World,
    fixture: &Fixture,
    check: &Check,
) -> Result<(), Stop> {
    if judges_the_history(&check.kind) {
        return Ok(()); // a history is judged when it is whole
    }
    let deadline = Instant::now() + check.within;
    loop {
        let Err(reason) = look(world, fixture, check, None).await? else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            let message = format!("{reason} (looked for {:?})", check.within);
            return Err(Stop::failed(fixture, &check.span, message));
        }
        // A journal is a file of another process: it is read again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Looks once more, after everything has drained.
pub(in crate::e2e) async fn still_true(
    world: &World,
    fixture: &Fixture,
    check: &Check,
    report: &Report,
) -> Result<Vec<String>, Stop> {
    look(world, fixture, check, Some(report)).await?.map_err(|reason| {
        let message = match judges_the_history(&check.kind) {
            true => reason,
            false => format!("{reason} (it held before the services had drained)"),
        };
        Stop::failed(fixture, &check.span, message)
    })
}

/// Whether a check is about the history, which is whole only at the end.
pub(in crate::e2e) fn judges_the_history(kind: &CheckKind) -> bool {
    use CheckKind::{FinalWithin, History, RecoveredWithin};
    matches!(kind, History { .. } | FinalWithin { .. } | RecoveredWithin { .. })
}

async fn look(
    world: &World,
    fixture: &Fixture,
    check: &Check,
    report: Option<&Report>,
) -> Result<Answer, Stop> {
    Ok(match &check.kind {
        CheckKind::Oracle(asked) => {
            let oracles = world.oracles();
            let knows = |oracle: &&Arc<dyn Oracle>| {
                oracle.checks().iter().any(|known| known.key.word == asked.word)
            };
            match oracles.iter().find(knows) {
                Some(oracle) => oracle.look(&world.probe(), asked).await.map_err(Stop::Broken)?,
                None => return Err(Stop::Broken(format!("nobody here knows `{}`", asked.word))),
            }
        }
        CheckKind::History { expected } => match report {
            Some(report) => history(report, expected),
            None => Err("the history is not whole yet".to_owned()),
        },
        CheckKind::FinalWithin { limit } => match report {
            Some(report) => final_within(report, *limit),
            None => Err("the history is not whole yet".to_owned()),
        },
        CheckKind::RecoveredWithin { limit } => {
            let history = History::open(world.history_path());
            let history = history.map_err(|e| Stop::broken("judge the recovery", e))?;
            recovery::recovered(&history, *limit)
                .map(|_| vec![format!("after each fault something succeeded within {limit:?}")])
        }
        CheckKind::Schema { subject, messages, replies } => {
            if report.is_some() {
                end::until_all_is_traced(world.harness(), &world.brokers)
                    .await
                    .map_err(Stop::Broken)?;
            }
            let found = drift::look(world, subject, messages, replies).map_err(Stop::Broken)?;
            match found {
                Found::Valid => Ok(valid(subject, messages, replies)),
                Found::Nothing(reason) => Err(reason),
                // Nothing that comes later makes it good.
                Found::Drift(reason) => return Err(Stop::failed(fixture, &check.span, reason)),
            }
        }
        CheckKind::Stream(check) => {
            // One that is not there yet may still come.
            let held = evidence::held(world.harness(), &check.name, check.reads()).await;
            held.and_then(|held| held::stream(check, &held))
        }
        CheckKind::Kv(check) => {
            let found =
                inventory::bucket(world.harness(), &check.bucket, check.key.as_deref()).await;
            found.and_then(|(keys, entry)| held::bucket(check, keys, &entry))
        }
        CheckKind::Log(check) => {
            let lines = || world.hearing().heard(&check.service, 0);
            let look = |lines: &[Heard]| held::log(check, lines.iter().map(|line| &*line.line));
            let is_found = check.count.is_none() && look(&lines()).is_ok();
            if report.is_some() && !is_found && !world.hearing().whole(&check.service).await {
                let why = format!(
                    "{}: not every line could be read: they came too fast, or one was longer than \
                     64 KiB",
                    check.service
                );
                return Err(Stop::Broken(why));
            }
            look(&lines())
        }
        CheckKind::Consumer(check) => {
            let state = inventory::consumer(world.harness(), &check.stream, &check.name).await;
            let given_up = world.watches().advisories().given_up().await;
            let given_up =
                given_up.map_err(|why| Stop::broken("hear what consumers gave up", why))?;
            state.and_then(|state| {
                let of = |how| given_up.count(&check.stream, &check.name, how);
                let (terminated, exhausted) = (of(How::Terminated), of(How::Exhausted));
                held::consumer(check, held::State { terminated, exhausted, ..state })
            })
        }
    })
}
