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

/// A key: a string of its own only where it is a fact's.
enum Key {
    Seq,
    AtNs,
    Invoke,
    Ok,
    Fail,
    Unknown,
    Answers,
    Delivery,
    Fault,
    End,
    Other(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(Word)
    }
}

struct Word;

impl Visitor<'_> for Word {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Key, E> {
        Ok(match word {
            "seq" => Key::Seq,
            "at_ns" => Key::AtNs,
            "invoke" => Key::Invoke,
            "ok" => Key::Ok,
            "fail" => Key::Fail,
            "unknown" => Key::Unknown,
            "answers" => Key::Answers,
            "delivery" => Key::Delivery,
            "fault" => Key::Fault,
            "end" => Key::End,
            other => Key::Other(other.to_owned()),
        })
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
        while let Some(key) = line.next_key()? {
            match key {
                Key::Seq if seq.is_none() => seq = Some(line.next_value()?),
                Key::AtNs if at_ns.is_none() => at_ns = Some(line.next_value()?),
                Key::Seq => return Err(A::Error::custom("`seq` is there twice")),
                Key::AtNs => return Err(A::Error::custom("`at_ns` is there twice")),
                _ if what.is_some() => {
                    return Err(A::Error::custom("a line says one thing that happened, not two"));
                }
                Key::Invoke => what = Some(What::Invoke(line.next_value()?)),
                Key::Ok => what = Some(What::Ok(line.next_value()?)),
                Key::Fail => what = Some(What::Fail(line.next_value()?)),
                Key::Unknown => what = Some(What::Unknown(line.next_value()?)),
                Key::Answers => what = Some(What::Answers(line.next_value()?)),
                Key::Delivery => what = Some(What::Delivery(line.next_value()?)),
                Key::Fault => what = Some(What::Fault(line.next_value()?)),
                Key::End => what = Some(What::End(line.next_value()?)),
                Key::Other(word) => {
                    what = Some(What::Fact(Fact { word, record: line.next_value()? }));
                }
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
