//! Messages on a subject of their stream that nobody reads, as where somebody else has had the stream
//! transform subjects, if only for a moment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::counted::counted;
use crate::modules::payment::{self, DEAD_LETTERS, INTENTS, LEDGER, REQUESTS};
use crate::mono::Connection;

/// So many messages of a stream, by its name.
pub(super) type Astray = BTreeMap<&'static str, u64>;

/// The streams that keep what they have, one message a subject. To count the subjects of a million
/// messages costs the server half a second, so it is not done at each look.
pub(super) const KEPT: [&str; 3] = [INTENTS, LEDGER, DEAD_LETTERS];

/// How many there are; `None` where JetStream does not say.
pub(super) async fn astray(connection: &Connection, name: &str) -> Option<u64> {
    let made = payment::streams(1).into_iter().find(|made| made.name == name)?;
    let pattern = made.subjects.first()?;
    // Of many subjects the number will do: what is after the last one is an empty list.
    let offset = if name == REQUESTS { 0 } else { u32::MAX };
    let asked = json!({ "subjects_filter": pattern, "offset": offset });
    let answer = connection.jetstream().request(format!("STREAM.INFO.{name}"), &asked).await;
    let answer: Value = answer.ok()?;
    if answer["error"].is_object() {
        // As where it was deleted, which is told elsewhere.
        return Some(0);
    }
    let there = answer["state"]["messages"].as_u64()?;
    let read = match answer["state"]["subjects"].as_object() {
        Some(subjects) if name == REQUESTS => subjects.values().filter_map(Value::as_u64).sum(),
        None if name == REQUESTS => 0,
        _ => answer["total"].as_u64()?,
    };
    Some(there.saturating_sub(read))
}

/// A sentence for each stream that has some.
pub(super) fn told(astray: &Astray) -> impl Iterator<Item = String> {
    astray.iter().filter(|(_, count)| **count > 0).map(|(name, count)| {
        let what = match *name {
            REQUESTS => {
                "which are given to no worker: `mono-demo audit` names them, and they must be \
                 submitted again"
            }
            DEAD_LETTERS => "where nobody looks for a letter: `mono-demo dlq ls` shows them",
            _ => {
                "where no service looks: `mono-demo audit` names them; a payment that stays `pending` \
                 for it gets its outcome if it is submitted again"
            }
        };
        format!(
            "stream `{name}` has {} on subjects that are not its own, as where somebody else has had \
             it transform them, {what}",
            counted(*count, "message")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_that_has_messages_astray_is_told_with_what_to_do() {
        let astray = Astray::from([(REQUESTS, 1), (INTENTS, 0), (LEDGER, 2), (DEAD_LETTERS, 3)]);
        let told: Vec<String> = told(&astray).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        let is_told =
            |words: [&str; 2]| told.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(is_told(["`payment-requests` has 1 message on", "must be submitted again"]));
        assert!(is_told(["`payment-ledger` has 2 messages on", "where no service looks"]));
        assert!(is_told([
            "`payment-dead-letters` has 3 messages on",
            "where nobody looks for a letter"
        ]));
    }
}
