//! What consumers allow, and what workers do with it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::circumstances::Circumstances;
use crate::counted::counted;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::observed::{ConsumerSeen, Observed};
use crate::e2e::record::traffic::{Nak, OfConsumer, Traffic};
use crate::e2e::scenario::ast::hazard::HazardKind;

/// A consumer that is gone sooner than that is no burden.
const SOON: Duration = Duration::from_secs(30);

/// So often a message that may be handled later is not refused at once.
const FOR_EVER: usize = 20;

pub(super) fn judge(
    observed: &Observed,
    traffic: &Traffic,
    run: &Circumstances<'_>,
) -> Vec<Hazard> {
    let mut all = Vec::new();
    for ((stream, name), heard) in &traffic.consumers {
        let id = (stream.clone(), name.clone());
        let of =
            |kind, seen: String| Hazard::new(kind, format!("consumer `{name}` of {stream} {seen}"));
        let seen = observed.consumers.iter().find(|c| (&c.stream, &c.name) == (stream, name));
        all.extend(waits(heard).map(|told| of(HazardKind::BackoffOverridesAckWait, told)));
        if let Some(told) = too_short(heard, seen).filter(|_| !run.was_delayed) {
            all.push(of(HazardKind::AckWaitTooShort, told));
        }
        let exhausted = observed.exhausted.get(&id).map(Vec::as_slice).unwrap_or_default();
        all.extend(burnt(heard, exhausted).map(|told| of(HazardKind::NakWithoutDelay, told)));
        all.extend(refused(heard, exhausted).map(|told| of(HazardKind::NakWithoutDelay, told)));
        all.extend(shared(heard, observed).map(|told| of(HazardKind::ConsumerShared, told)));
        if let Some(told) = seen.and_then(|seen| full(heard, seen)) {
            all.push(of(HazardKind::MaxAckPendingReached, told));
        }
    }
    all.extend(left(observed));
    all
}

fn waits(heard: &OfConsumer) -> Option<String> {
    let (wait, first) = heard.waits.filter(|(wait, first)| first < wait)?;
    Some(format!(
        "was asked for with `ack_wait` {wait:?}, and with a `backoff` that begins with {first:?}, which is used instead"
    ))
}

fn too_short(heard: &OfConsumer, seen: Option<&ConsumerSeen>) -> Option<String> {
    let (sequence, (one, next)) = heard.late.first_key_value()?;
    let wait = seen.map_or(String::new(), |seen| format!(" ({:?})", seen.ack_wait));
    Some(format!(
        "delivered {} again before its handler was done: sequence {sequence} was acknowledged for delivery \
         {one} after delivery {next} had gone out, so it took longer than `ack_wait`{wait}",
        counted(heard.late.len(), "message")
    ))
}

/// Messages of which all deliveries were refused at once.
fn burnt(heard: &OfConsumer, exhausted: &[u64]) -> Option<String> {
    let at_once = |sequence: &&u64| {
        heard
            .naks
            .get(sequence)
            .is_some_and(|naks| naks.len() > 1 && naks.iter().all(|nak| !nak.has_delay))
    };
    let burnt: BTreeSet<&u64> = exhausted.iter().filter(at_once).collect();
    let first = **burnt.first()?;
    let naks: &[Nak] = &heard.naks[&first];
    Some(format!(
        "gave up {} that workers refused without a delay: that with sequence {first} used up its {} \
         within {:?}",
        counted(burnt.len(), "message"),
        counted(naks.len(), "delivery"),
        time_of(naks),
    ))
}

/// Messages that were refused at once so often that they would be for ever.
fn refused(heard: &OfConsumer, exhausted: &[u64]) -> Option<String> {
    let for_ever = heard.naks.iter().filter(|(sequence, naks)| {
        !exhausted.contains(sequence)
            && naks.len() >= FOR_EVER
            && naks.iter().all(|nak| !nak.has_delay)
    });
    let for_ever: Vec<(&u64, &Vec<Nak>)> = for_ever.collect();
    let (sequence, naks) = for_ever.first()?;
    Some(format!(
        "delivered {} again and again that workers refused without a delay: that with sequence {sequence} \
         {} within {:?}",
        counted(for_ever.len(), "message"),
        counted(naks.len(), "time"),
        time_of(naks),
    ))
}

/// From the first to the last, in milliseconds.
fn time_of(naks: &[Nak]) -> Duration {
    let [one, .., last] = naks else { return Duration::ZERO };
    let took = Duration::from_nanos(last.at_ns.saturating_sub(one.at_ns));
    Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1))
}

/// Programs that ask for its messages.
fn shared(heard: &OfConsumer, observed: &Observed) -> Option<String> {
    let who: BTreeSet<&String> =
        heard.readers.iter().filter_map(|port| observed.services.get(port)).collect();
    let who: Vec<String> = who.iter().map(|name| format!("`{name}`")).collect();
    (who.len() > 1).then(|| format!("is read by {}", who.join(" and ")))
}

fn full(heard: &OfConsumer, seen: &ConsumerSeen) -> Option<String> {
    let most =
        seen.max_ack_pending.filter(|most| seen.is_explicit && heard.most_pending >= *most)?;
    Some(format!(
        "had as many messages unacknowledged as `max_ack_pending` allows ({most}), while others waited"
    ))
}

fn left(observed: &Observed) -> impl Iterator<Item = Hazard> {
    let is_left = |seen: &&ConsumerSeen| {
        let is_there = observed.left.contains(&(seen.stream.clone(), seen.name.clone()));
        is_there && !seen.is_durable && seen.inactive_threshold > SOON
    };
    observed.consumers.iter().filter(is_left).map(
        |ConsumerSeen { stream, name, inactive_threshold, .. }| {
            let seen =
                format!("consumer `{name}` of {stream} is still there for {inactive_threshold:?}");
            Hazard::new(HazardKind::EphemeralConsumerLeft, seen)
        },
    )
}
