//! A load under faults: submits until all is acknowledged, or publishes once, while things break as
//! the seed says.
//!
//! Faults come by progress and not by time: a fault is due once so many submissions are
//! acknowledged, so that the same seed breaks at the same places on any machine. A load that is
//! faster than its faults waits for them: each begins while submissions are on their way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::attempt::millis;
use super::dying::Dying;
use super::submitter::Submitter;
use crate::broker::Fault;
use crate::e2e::record::seen;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::payload::Payload;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Load, Step};
use crate::e2e::scenario::fill::{fault_filled, filled};
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::outcome::Stop;
use crate::seeded::Dice;
use crate::wire::driver::Op;

/// Submits, breaks and submits again; what held, a line each.
pub(in crate::e2e) async fn run(
    world: &mut World,
    fixture: &Fixture,
    step: &Step,
    load: &Load,
    variables: &Variables,
) -> Result<Vec<String>, Stop> {
    let times = step.repeat.unwrap_or(1) * load.copies;
    let mut dice = Dice::new(world.machine().seed);
    let plan = plan(load, times, &mut dice);
    let again: Vec<bool> = (0..times).map(|_| dice.percent(load.again_percent)).collect();
    let dying = match load.client_dies {
        false => None,
        true => Some(Dying::of(world).ok_or_else(|| {
            Stop::Skipped("there is no client here that dies when it is told to".to_owned())
        })?),
    };
    let submitter = &Submitter::new(world, step, load, dying);
    // Up to the next fault, and as many more as are on their way when it begins.
    let until = |next: usize| match plan.get(next) {
        Some((due, _)) => due + step.concurrency,
        None => times,
    };
    submitter.allow(until(0));
    let submitting = async {
        let all = stream::iter(1..=times).map(|n| {
            let mut variables = variables.clone();
            variables.insert("n".to_owned(), Value::from((n - 1) / load.copies + 1));
            variables.insert("k".to_owned(), Value::from((n - 1) % load.copies + 1));
            let (action, twice) = (filled(&step.action, &variables), again[n as usize - 1]);
            async move {
                submitter.reached(&submitter.allowed, n).await;
                if submitter.has_given_up() {
                    return Ok(false);
                }
                if let Some(pace) = &submitter.pace {
                    pace.lock().await.tick().await;
                }
                let process = format!("client-{}", n % step.concurrency.max(1));
                let op = message(&action, submitter.attempt)?;
                if let Some(dying) = &submitter.dying {
                    submitter.once_by_one_that_dies(dying, &op).await?;
                }
                if matches!(action, Action::Publish(_)) {
                    return submitter.once(&process, op).await.map(|()| true);
                }
                let once = submitter.until_acknowledged(&process, &op).await?;
                let again = !twice || submitter.until_acknowledged(&process, &op).await?;
                Ok::<_, String>(once && again)
            }
        });
        let mut all = all.buffer_unordered(step.concurrency as usize);
        let mut failed = None;
        while let Some(result) = all.next().await {
            match result {
                Ok(done) => submitter.has_done(done),
                Err(message) if failed.is_none() => {
                    failed = Some(message + &submitter.meanwhile());
                    submitter.give_up();
                }
                Err(_) => {} // it has been said why
            }
        }
        let done = submitter.done.load(Ordering::SeqCst);
        failed.map_or(Ok(()), |message| {
            let message = format!("{done} of {times} {}, then: {message}", past(&step.action));
            Err(Stop::failed(fixture, &step.span, message))
        })
    };
    let breaking = async {
        for (n, (due, fault)) in plan.iter().enumerate() {
            tokio::select! {
                biased;
                () = submitter.reached(&submitter.done, *due) => {}
                stop = world.services.supervise(fixture, &step.span) => return Err(stop),
            }
            if submitter.has_given_up() {
                return Ok(());
            }
            submitter.allow(until(n + 1));
            let fault = fault_filled(fault, variables);
            submitter.breaks(Some(fault.to_string()));
            let broken = world.fault(fixture, &fault, Some(*due), &step.span).await;
            submitter.breaks(None);
            broken?;
        }
        tokio::select! {
            biased;
            () = submitter.reached(&submitter.done, times) => Ok(()),
            stop = world.services.supervise(fixture, &step.span) => Err(stop),
        }
    };
    let breaking = async {
        let broken = breaking.await;
        submitter.allow(times); // also where a fault could not be made
        broken
    };
    let (submitted, broken) = tokio::join!(submitting, breaking);
    submitted.and(broken)?;
    let mut lines = vec![format!("{times} {}", past(&step.action))];
    if load.client_dies {
        lines.push(format!("client aborted after the publish × {times}"));
    }
    lines.extend(load.under.iter().map(|(fault, count)| format!("{fault} × {count}")));
    Ok(lines)
}

/// What has become of one that is done.
fn past(action: &Action) -> &'static str {
    match action {
        Action::Publish(_) => "published",
        _ => "acknowledged",
    }
}

/// When each fault is due, counted in submissions; none in the last tenth.
fn plan(load: &Load, times: u32, dice: &mut Dice) -> Vec<(u32, Fault)> {
    let last = (times - times / 10).max(1);
    let mut plan: Vec<(u32, Fault)> = load
        .under
        .iter()
        .flat_map(|(fault, count)| std::iter::repeat_n(fault.clone(), *count as usize))
        .map(|fault| (dice.below(last), fault))
        .collect();
    plan.sort_by_key(|(due, _)| *due);
    plan
}

fn message(action: &Action, timeout: Duration) -> Result<Op, String> {
    let (Action::Submit(out) | Action::Publish(out)) = action else {
        return Err("only `submit` and `publish` can be a load under faults".to_owned());
    };
    let body = match &out.payload {
        Payload::Json(value) => value.to_string().into_bytes(),
        Payload::Text(text) => text.clone().into_bytes(),
        Payload::Bytes(bytes) => bytes.clone(),
        Payload::Filler(size) => vec![b'x'; *size],
        Payload::File(_) => {
            return Err("a load has a `body`, `text`, `bytes_base64` or `body_size`".to_owned());
        }
    };
    let (subject, headers) = (out.subject.clone(), out.headers.clone());
    let payload_base64 = seen::base64(&body);
    Ok(match action {
        Action::Publish(_) => Op::Publish { subject, payload_base64, headers },
        _ => Op::Submit { subject, payload_base64, headers, timeout_ms: millis(timeout) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::What;

    #[test]
    fn the_same_seed_breaks_at_the_same_places() {
        let load = Load {
            copies: 1,
            again_percent: 5,
            under: vec![(Fault::new(What::KillBroker), 20), (Fault::new(What::KillServices), 20)],
            rate: None,
            client_dies: false,
        };
        let drawn = |seed| plan(&load, 1000, &mut Dice::new(seed));
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7).len(), 40);
        assert!(drawn(7).iter().all(|(due, _)| *due < 900));
    }
}
