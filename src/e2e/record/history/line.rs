//! A line as it is read: not through serde's `flatten`, which would lose the column of a mistake.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::event::{Event, Fact, What};

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Line)
    }
}

struct Line;

impl<'de> Visitor<'de> for Line {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut line: A) -> Result<Event, A::Error> {
        let (mut seq, mut at_ns, mut what) = (None, None, None);
        while let Some(word) = line.next_key::<String>()? {
            match word.as_str() {
                "seq" if seq.is_none() => seq = Some(line.next_value()?),
                "at_ns" if at_ns.is_none() => at_ns = Some(line.next_value()?),
                "seq" | "at_ns" => {
                    return Err(A::Error::custom(format!("`{word}` is there twice")));
                }
                _ if what.is_some() => {
                    return Err(A::Error::custom("a line says one thing that happened, not two"));
                }
                "invoke" => what = Some(What::Invoke(line.next_value()?)),
                "ok" => what = Some(What::Ok(line.next_value()?)),
                "fail" => what = Some(What::Fail(line.next_value()?)),
                "unknown" => what = Some(What::Unknown(line.next_value()?)),
                "delivery" => what = Some(What::Delivery(line.next_value()?)),
                "fault" => what = Some(What::Fault(line.next_value()?)),
                "end" => what = Some(What::End(line.next_value()?)),
                _ => what = Some(What::Fact(Fact { word, record: line.next_value()? })),
            }
        }
        Ok(Event {
            seq: seq.ok_or_else(|| A::Error::missing_field("seq"))?,
            at_ns: at_ns.ok_or_else(|| A::Error::missing_field("at_ns"))?,
            what: what
                .ok_or_else(|| A::Error::custom("a line says what happened: `invoke`, `ok`, …"))?,
        })
    }
}
