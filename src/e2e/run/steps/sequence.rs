//! All steps in order, then those of the teardown.

use std::pin::pin;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::limit::{self, Limit};
use super::listen::subscribe;
use super::running_step::RunningStep;
use super::running_step::Subscriptions;
use crate::e2e::record::run::RunId;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::stage::values::as_written;
use crate::e2e::run::stage::world::World;
use crate::e2e::run::steps::{load, settle, teardown};
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Step};
use crate::e2e::scenario::fill::{fault_filled, filled};
use crate::e2e::text::data::Data;
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::event::Event;
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::transcript::heading::heading;
use crate::e2e::verdict::transcript::writer::Transcript;

/// What goes on from step to step.
pub(in crate::e2e) struct Progress {
    /// Values for `{{name}}`.
    pub(in crate::e2e) variables: Variables,
    /// What each step came to.
    pub(in crate::e2e) seen: Vec<Vec<Seen>>,
    pub(in crate::e2e) transcript: Transcript,
}

/// Does all steps in order, then those of the teardown, whatever the steps came to: these have as long
/// again.
pub(in crate::e2e) async fn all(
    world: &mut World,
    fixture: &Fixture,
    limit: Limit,
    progress: &mut Progress,
    started: &mut impl FnMut(&Step),
) -> Result<(), Stop> {
    // Nothing has happened yet that would have to be undone.
    let subscriptions = subscribe(world, fixture).await?;
    world.begin_looking_for_leaks().await;
    let mut ended = Ok(());
    for step in &fixture.steps {
        started(step);
        ended = in_time(limit, world, fixture, &subscriptions, step, progress).await;
        // One that a step was too short for is not left lying.
        ended = ended.and(world.services.crash_if_due().await);
        if ended.is_err() {
            break;
        }
    }
    let limit = Limit::of(fixture);
    for step in &fixture.teardown {
        if let Some(name) = teardown::missing(step, &progress.variables) {
            // Its step was not reached: there is nothing to undo.
            let why = format!("left out: {{{{{name}}}}} was not saved");
            progress.transcript.note(&format!("teardown {}", step.action.verb()), &[why]);
            continue;
        }
        started(step);
        let undone = in_time(limit, world, fixture, &subscriptions, step, progress).await;
        ended = teardown::beside(ended, undone);
    }
    ended
}

/// Does the steps that come before the services start.
pub(in crate::e2e) async fn setup(
    world: &mut World,
    fixture: &Fixture,
    limit: Limit,
    progress: &mut Progress,
    started: &mut impl FnMut(&Step),
) -> Result<(), Stop> {
    let none = Subscriptions::default();
    for step in &fixture.setup {
        started(step);
        in_time(limit, world, fixture, &none, step, progress).await?;
    }
    // What steps came to is counted from the first `[[step]]`.
    progress.seen.clear();
    Ok(())
}

/// Tells reporters of each step that begins, and which that is.
pub(in crate::e2e) fn telling<'a>(
    fixture: &'a Fixture,
    run: &'a RunId,
    events: &'a UnboundedSender<Event>,
) -> impl FnMut(&Step) + use<'a> {
    let mut index = 0;
    move |step| {
        // A reporter that has gone is not the scenario's business.
        let _ = events.send(Event::StepStarted {
            run: run.clone(),
            index,
            line: fixture.source.line(&step.span),
            verb: step.action.verb(),
        });
        index += 1;
    }
}

/// Does one step, in what is left of the time.
async fn in_time(
    limit: Limit,
    world: &mut World,
    fixture: &Fixture,
    subscriptions: &Subscriptions,
    step: &Step,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let done = timeout(limit.left(), one(world, fixture, subscriptions, step, progress)).await;
    done.unwrap_or_else(|_| Err(limit::reached(world, fixture)))
}

/// Does one step.
async fn one(
    world: &mut World,
    fixture: &Fixture,
    subscriptions: &Subscriptions,
    step: &Step,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let hits = world.hits();
    let done = perform(world, fixture, subscriptions, step, progress).await;
    done.map_err(|stop| world.beside_hits(&hits, stop))
}

async fn perform(
    world: &mut World,
    fixture: &Fixture,
    subscriptions: &Subscriptions,
    step: &Step,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let Progress { variables, seen, transcript } = progress;
    seen.push(Vec::new());
    let clock = world.recorder.clock();
    let heading = heading(step, &step.action);
    let (line, first) = (fixture.source.line(&step.span), heading.lines().next());
    let verb = step.action.verb();
    world.tape.begin(clock, transcript.text(), Some(line), verb, first.unwrap_or_default());
    match &step.action {
        Action::Fault(fault) => {
            let fault = &fault_filled(fault, variables);
            let done = world.fault(fixture, fault, None, &step.span).await?;
            transcript.note(&format!("fault {fault}"), &[done]);
        }
        Action::Settle => {
            let within = step.within.unwrap_or(settle::DEFAULT_WITHIN);
            let harness = world.harness().clone();
            tokio::select! {
                settled = settle::settle(&harness, within) => {
                    settled.map_err(|busy| Stop::failed(fixture, &step.span, busy.to_string()))?;
                }
                stop = world.services.supervise(fixture, &step.span) => return Err(stop),
            }
            transcript.note("settle", &["nothing is in flight".to_owned()]);
        }
        action => match &step.load {
            Some(load) => {
                let lines = Box::pin(load::run(world, fixture, step, load, variables)).await?;
                transcript.load(step, &filled(action, &as_written(variables)), &lines);
            }
            None => {
                // A step that asks again is told how long to.
                let asks_once = step.within.is_none() && !world.schedule.is_empty();
                let (scene, services) = world.apart();
                let under_way = RunningStep { scene, fixture, subscriptions, step };
                let mut starting = services.starting();
                let mut supervised = pin!(services.supervise(fixture, &step.span));
                let outcomes = tokio::select! {
                    // It explains what the step came to.
                    biased;
                    stop = &mut supervised => return Err(stop),
                    outcomes = under_way.repeated(variables, transcript) => outcomes
                        .map_err(|stop| if asks_once { not_back_yet(stop) } else { stop })?,
                };
                // What is being started again is not cut short by a step that is over.
                tokio::select! {
                    biased;
                    stop = &mut supervised => return Err(stop),
                    _ = starting.wait_for(|starting| !starting) => {}
                }
                save(fixture, step, &outcomes, variables)?;
                seen.pop();
                seen.push(outcomes);
            }
        },
    }
    Ok(())
}

/// Where nobody answers after a fault, what helps.
fn not_back_yet(stop: Stop) -> Stop {
    let Stop::Failed(mut failure) = stop else { return stop };
    if failure.message.contains("saw the error no_responders") {
        let helps =
            "; after a fault a service needs a moment to come back: `within = \"5s\"` asks again";
        failure.message.push_str(helps);
    }
    Stop::Failed(failure)
}

/// Keeps values of the last outcome for later steps.
fn save(
    fixture: &Fixture,
    step: &Step,
    outcomes: &[Seen],
    variables: &mut Variables,
) -> Result<(), Stop> {
    for save in &step.save {
        let whole = outcomes.last().map_or(Data::Null, Seen::main_part);
        let part = whole.pointer(&save.pointer);
        let message = match part.map(|part| (part, part.exact())) {
            Some((_, Some(value))) => {
                variables.insert(save.name.clone(), value);
                continue;
            }
            Some((part, None)) => format!(
                "`{}` cannot be saved without losing digits or keys of {part}: its numbers have to be doubles \
                 or fit into 64 bits, and its keys be there once",
                save.name
            ),
            None => format!("there is no `{}` to save in {whole}", save.pointer),
        };
        return Err(Stop::failed(fixture, &step.span, message));
    }
    Ok(())
}
