//! What a fault by message has begun, in words that are the same in every run.

use crate::broker::proxy::{Fate, Matching, Moment, Turn, ordinal};

/// `the next pub-ack on orders.new never arrives`.
pub(super) fn said(fate: Fate, matching: &Matching) -> String {
    let which = match matching.turn {
        Turn::Nth(1) => "the next".to_owned(),
        Turn::Nth(nth) => format!("the {}", ordinal(nth)),
        Turn::Every(every) => format!("every {}", ordinal(every)),
    };
    let kind = matching.kind;
    let becomes = match fate {
        Fate::Lose => "never arrives".to_owned(),
        Fate::Duplicate => "arrives twice".to_owned(),
        Fate::Delay(time) => format!("arrives {} ms late", time.as_millis()),
        Fate::Swap => "changes places with the one after it".to_owned(),
        Fate::Disconnect(Moment::Before) => "ends its connection and never arrives".to_owned(),
        Fate::Disconnect(Moment::After) => "arrives and ends its connection".to_owned(),
    };
    match matching.times {
        Some(times @ 2..) => format!("{which} {kind} {becomes}, {times} times"),
        _ => format!("{which} {kind} {becomes}"),
    }
}
