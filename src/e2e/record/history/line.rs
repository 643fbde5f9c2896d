//! A line as it is read: not through serde's `flatten`, which would lose the column of a mistake.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::event::{
    Charge, DeadLetter, Delivery, Email, End, Event, Fault, Invoke, Outcome, Refusal, Reply, What,
};

/// Exactly one of the options is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at_ns: u64,
    invoke: Option<Invoke>,
    ok: Option<Reply>,
    fail: Option<Refusal>,
    unknown: Option<Refusal>,
    delivery: Option<Delivery>,
    charge: Option<Charge>,
    email: Option<Email>,
    outcome: Option<Outcome>,
    dead_letter: Option<DeadLetter>,
    fault: Option<Fault>,
    end: Option<End>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Line::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl TryFrom<Line> for Event {
    type Error = String;

    fn try_from(line: Line) -> Result<Self, String> {
        let found = [
            line.invoke.map(What::Invoke),
            line.ok.map(What::Ok),
            line.fail.map(What::Fail),
            line.unknown.map(What::Unknown),
            line.delivery.map(What::Delivery),
            line.charge.map(What::Charge),
            line.email.map(What::Email),
            line.outcome.map(What::Outcome),
            line.dead_letter.map(What::DeadLetter),
            line.fault.map(What::Fault),
            line.end.map(What::End),
        ];
        let mut found = found.into_iter().flatten();
        match (found.next(), found.next()) {
            (Some(what), None) => Ok(Self { seq: line.seq, at_ns: line.at_ns, what }),
            (None, _) => Err("a line says what happened: `invoke`, `ok`, `charge`, …".to_owned()),
            (Some(_), Some(_)) => Err("a line says one thing that happened, not two".to_owned()),
        }
    }
}
