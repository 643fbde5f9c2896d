//! What the streams of payments have lost, by their numbers alone.
//!
//! A purge leaves no trace but that. Other messages come and go meanwhile, so only what the numbers
//! prove is told, whatever happened between two looks at two streams.

use super::snapshot::Snapshot;
use crate::counted::counted;
use crate::modules::payment::{CONSUMER, DEAD_LETTERS, FAILURES, INTENTS, LEDGER, REQUESTS};

/// What is gone now that was there before, a sentence each.
pub(super) fn losses(before: &Snapshot, now: &Snapshot) -> Vec<String> {
    let mut lost: Vec<String> =
        [INTENTS, LEDGER].iter().filter_map(|name| fewer(before, now, name)).collect();
    lost.extend(never_delivered(before, now));
    lost.extend(claimed_in_vain(before, now));
    lost.extend(letters(before, now));
    lost
}

/// Streams that somebody else has made anew between two looks.
pub(super) fn made_anew(before: &Snapshot, now: &Snapshot) -> Vec<String> {
    let both = now.streams.iter().filter_map(|(name, look)| {
        let (was, is) = (before.stream(name)?, look.seen()?);
        (was.created != is.created).then_some((name, was))
    });
    both.map(|(name, was)| {
        format!(
            "stream `{name}` was deleted by somebody else, and made anew: {} that it had then are gone",
            counted(was.messages, "message")
        )
    })
    .collect()
}

/// From these nothing is ever removed.
fn fewer(before: &Snapshot, now: &Snapshot, name: &str) -> Option<String> {
    let (before, now) = (before.stream(name)?, now.stream(name)?);
    let (had, has) = (before.messages, now.messages);
    // One that was made anew is told as that.
    (has < had && before.created == now.created).then(|| {
        format!(
            "stream `{name}` had {} and has fewer: somebody else purged or deleted them",
            counted(had, "message")
        )
    })
}

/// A consumer that somebody else has reset counts its deliveries from none. One that lost the latest of
/// them, as by an election, remembers those that were acknowledged.
pub(super) fn reset(before: &Snapshot, now: &Snapshot) -> Option<String> {
    let (was, is) = (before.consumer.seen()?, now.consumer.seen()?);
    let same = before.reconnects == now.reconnects && was.created == is.created;
    (same && is.delivered < was.delivered.saturating_sub(was.in_hand)).then(|| {
        format!(
            "consumer `{CONSUMER}` was reset by somebody else: of {} it counts {}",
            counted(was.delivered, "delivery"),
            is.delivered
        )
    })
}

/// A request that is settled was delivered before, or is in hand. Where the deliveries are counted anew,
/// as after a reset between two looks, those that had an outcome or a letter were delivered too.
fn never_delivered(before: &Snapshot, now: &Snapshot) -> Option<String> {
    let (was, is) = (before.consumer.seen()?, now.consumer.seen()?);
    let (had, has) = (before.stream(REQUESTS)?, now.stream(REQUESTS)?);
    // A broker that was killed may have forgotten some of its latest deliveries.
    let same_broker = before.reconnects == now.reconnects;
    let same = was.created == is.created && had.created == has.created;
    // Another filter counts other messages.
    let same = same && was.config == is.config;
    if !same || now.delivered < was.delivered || reset(before, now).is_some() {
        return None;
    }
    let came = has.last.saturating_sub(had.last);
    let uncounted = was.waiting().saturating_add(came).saturating_sub(now.waiting);
    // What another filter passed over, if only for a moment, the consumer has forgotten, and the stream has.
    let gone = uncounted.min(had.messages.saturating_add(came).saturating_sub(has.messages));
    let deliveries = now.delivered.checked_sub(was.delivered)?;
    let handled = outcomes(now)?.saturating_sub(outcomes(before)?);
    let are_missing = gone > deliveries.max(handled).saturating_add(was.in_hand);
    are_missing.then(|| match same_broker {
        true => format!(
            "stream `{REQUESTS}` was purged, or messages of it were deleted, by somebody else: some \
             were given to no worker; whoever submitted them must do so again"
        ),
        // It counts outcomes, and deliveries that the broker has not forgotten; not payments that were
        // submitted again and handled at that moment.
        false => format!(
            "stream `{REQUESTS}` has lost messages of which no delivery is known: it was purged, or \
             messages of it were deleted, by somebody else while nobody looked, unless they were \
             duplicates, settled just before the broker was killed; what has no outcome must be \
             submitted again"
        ),
    })
}

/// Outcomes and letters: at least one for each request that was handled, but for one that came twice.
fn outcomes(at: &Snapshot) -> Option<u64> {
    Some(at.stream(LEDGER)?.messages.saturating_add(at.stream(DEAD_LETTERS)?.last))
}

/// How many payments at least are claimed and have neither an outcome nor a request, which is settled
/// after the outcome.
fn in_vain(at: &Snapshot) -> Option<u64> {
    let requests = at.stream(REQUESTS)?;
    // What lies where nobody looks is written once more where it belongs.
    let read = |name| at.stream(name).map(|stream| stream.messages - stream.astray);
    let unfinished = read(INTENTS)?.saturating_sub(read(LEDGER)?);
    let came_meanwhile = at.last_request.saturating_sub(requests.last);
    Some(unfinished.saturating_sub(requests.messages.saturating_add(came_meanwhile)))
}

/// More than before: some stay so where a stream was made anew.
fn claimed_in_vain(before: &Snapshot, now: &Snapshot) -> Option<String> {
    (in_vain(now)? > in_vain(before)?).then(|| {
        format!(
            "stream `{REQUESTS}` was purged, or messages of it were deleted, by somebody else: \
             payments are claimed, have no outcome, and no request any more; `mono-demo audit` \
             names them, and they must be submitted again"
        )
    })
}

/// A letter that `dlq` removes is noted first.
fn letters(before: &Snapshot, now: &Snapshot) -> Option<String> {
    let (had, has) = (before.stream(DEAD_LETTERS)?, now.stream(DEAD_LETTERS)?);
    let (noted_then, noted) = (before.stream(FAILURES)?, now.stream(FAILURES)?);
    if had.created != has.created {
        return None;
    }
    let gone = (had.messages + has.last.saturating_sub(had.last)).saturating_sub(has.messages);
    // What `dlq` removed is not known where its notes were made anew.
    let is_known = noted_then.created == noted.created;
    let removed = if is_known { noted.last.saturating_sub(noted_then.last) } else { noted.last };
    (gone > removed).then(|| match is_known {
        true => format!(
            "stream `{DEAD_LETTERS}` was purged, or messages of it were deleted, by somebody else: \
             some letters are gone that `dlq` did not remove"
        ),
        false => format!(
            "stream `{DEAD_LETTERS}` has lost letters: whether `dlq` removed them is not known, since \
             somebody else made stream `{FAILURES}` anew, which would say it"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Consumer, Look, Stream};
    use super::*;

    /// Messages and the last one's number of each stream; deliveries, and those in hand.
    fn snapshot(streams: [(&'static str, u64, u64); 5], delivered: u64, in_hand: u64) -> Snapshot {
        let streams = streams.map(|(name, messages, last)| {
            (name.to_owned(), Look::There(Stream { messages, last, ..Stream::default() }))
        });
        let last_request = streams[0].1.seen().unwrap().last;
        let waiting = streams[0].1.seen().unwrap().messages;
        let pending = waiting.saturating_sub(in_hand);
        let consumer = Consumer { delivered, in_hand, pending, ..Consumer::default() };
        Snapshot {
            consumer: Look::There(consumer),
            streams: streams.into(),
            last_request,
            delivered,
            waiting: waiting.max(in_hand),
            reconnects: 0,
        }
    }

    #[test]
    fn a_consumer_that_was_reset_proves_no_loss() {
        let at = |requests: (u64, u64), settled: u64, delivered, in_hand| {
            let streams = [
                (REQUESTS, requests.0, requests.1),
                (INTENTS, settled, settled),
                (LEDGER, settled, settled),
                (DEAD_LETTERS, 0, 0),
                (FAILURES, 0, 0),
            ];
            snapshot(streams, delivered, in_hand)
        };
        // Five delivered, three of them acknowledged.
        let before = at((2, 5), 3, 5, 2);
        for (now, is_named) in [
            (at((2, 5), 3, 0, 0), true),
            (at((0, 9), 9, 2, 0), true),
            // Those that were not acknowledged may be forgotten without a reset.
            (at((2, 5), 3, 3, 0), false),
            // So many came since that a reset does not show: two that were in hand, and six.
            (at((0, 11), 11, 8, 0), false),
        ] {
            assert!(losses(&before, &now).is_empty(), "{:?}", losses(&before, &now));
            assert_eq!(reset(&before, &now).is_some(), is_named, "{now:?}");
            let after_a_restart = Snapshot { reconnects: 1, ..now };
            assert_eq!(reset(&before, &after_a_restart), None);
        }
    }

    #[test]
    fn what_the_consumer_passed_over_and_the_stream_has_is_no_loss() {
        let at = |requests: (u64, u64), waiting| {
            let settled = [(INTENTS, 3, 3), (LEDGER, 3, 3), (DEAD_LETTERS, 0, 0), (FAILURES, 0, 0)];
            let [a, b, c, d] = settled;
            let mut at = snapshot([(REQUESTS, requests.0, requests.1), a, b, c, d], 3, 0);
            at.waiting = waiting;
            at
        };
        let before = at((0, 3), 0);
        // Five came while the filter was another one.
        assert!(losses(&before, &at((5, 8), 0)).is_empty());
        // Two of them are purged as well.
        let lost = losses(&before, &at((3, 8), 0));
        assert!(lost.len() == 1 && lost[0].contains("given to no worker"), "{lost:?}");
        // Each of two looks sees another filter, and counts by it.
        let mut meanwhile = at((5, 8), 0);
        let Look::There(consumer) = &mut meanwhile.consumer else { unreachable!() };
        consumer.config.insert("filter_subject".to_owned(), "elsewhere.x".into());
        assert!(losses(&before, &meanwhile).is_empty());
        assert!(losses(&meanwhile, &at((5, 8), 5)).is_empty());
        assert!(losses(&meanwhile, &at((5, 8), 0)).is_empty());
    }

    #[test]
    fn a_stream_of_another_time_was_made_anew() {
        let all = [(REQUESTS, 2, 9), (INTENTS, 7, 7), (LEDGER, 7, 7), (DEAD_LETTERS, 0, 0)];
        let all = [all[0], all[1], all[2], all[3], (FAILURES, 0, 0)];
        let before = snapshot(all, 7, 0);
        assert!(made_anew(&before, &before).is_empty());
        let mut now = before.clone();
        let Some(Look::There(requests)) = now.streams.get_mut(REQUESTS) else { unreachable!() };
        requests.created = "later".to_owned();
        let told = made_anew(&before, &now);
        assert!(told.len() == 1 && told[0].contains("`payment-requests`"), "{told:?}");
        assert!(told[0].ends_with("2 messages that it had then are gone"), "{told:?}");
    }

    /// The record of what `dlq` removed was lost itself.
    #[test]
    fn letters_are_missed_also_where_nothing_says_who_removed_them() {
        let at = |letters: u64, failures| {
            [
                (REQUESTS, 0, 3),
                (INTENTS, 3, 3),
                (LEDGER, 3, 3),
                (DEAD_LETTERS, letters, 3),
                failures,
            ]
        };
        let before = snapshot(at(3, (FAILURES, 3, 3)), 3, 0);
        let mut now = snapshot(at(1, (FAILURES, 1, 1)), 3, 0);
        let Some(Look::There(failures)) = now.streams.get_mut(FAILURES) else { unreachable!() };
        failures.created = "later".to_owned();
        let lost = losses(&before, &now);
        let words = "has lost letters: whether `dlq` removed them is not known, since somebody else made stream";
        assert!(lost.len() == 1 && lost[0].contains(words), "{lost:?}");
    }

    #[test]
    fn what_is_handled_is_no_loss_and_what_is_purged_is_one() {
        let at = |requests: (u64, u64), intents, ledger, letters: (u64, u64), failures| {
            [
                (REQUESTS, requests.0, requests.1),
                (INTENTS, intents, intents),
                (LEDGER, ledger, ledger),
                (DEAD_LETTERS, letters.0, letters.1),
                (FAILURES, 1, failures),
            ]
        };
        // Ten waiting, three of them claimed and in hand, one dead letter.
        let before = snapshot(at((10, 10), 3, 0, (1, 1), 4), 3, 3);
        for (now, words) in [
            (snapshot(at((10, 10), 3, 0, (1, 1), 4), 3, 3), None),
            // The three are done, two more came and are claimed.
            (snapshot(at((9, 12), 5, 3, (1, 1), 4), 5, 2), None),
            (snapshot(at((0, 12), 12, 12, (1, 1), 4), 12, 0), None),
            // `dlq` removed the letter.
            (snapshot(at((10, 10), 3, 0, (0, 1), 5), 3, 3), None),
            (snapshot(at((0, 10), 3, 3, (1, 1), 4), 3, 0), Some("given to no worker")),
            (snapshot(at((2, 10), 3, 0, (1, 1), 4), 30, 0), Some("no request any more")),
            (snapshot(at((10, 10), 2, 0, (1, 1), 4), 3, 3), Some("`payment-intents` had 3")),
            (snapshot(at((10, 10), 3, 0, (0, 1), 4), 3, 3), Some("`dlq` did not remove")),
        ] {
            if words == Some("given to no worker") {
                let after_a_restart = Snapshot { reconnects: 1, ..now.clone() };
                let lost = losses(&before, &after_a_restart);
                assert!(lost.len() == 1 && lost[0].contains("no delivery is known"), "{lost:?}");
            }
            let lost = losses(&before, &now);
            match words {
                None => assert!(lost.is_empty(), "{lost:?}"),
                Some(words) => assert!(lost.len() == 1 && lost[0].contains(words), "{lost:?}"),
            }
        }
    }
}
