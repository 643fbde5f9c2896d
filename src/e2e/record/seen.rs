//! The outcome of a step, as data: how it compares with what is expected is in `expected`, what a
//! transcript keeps of it in `golden`.

mod expected;
mod golden;
#[cfg(test)]
mod samples;

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::e2e::text::data::Data;
use crate::wire::driver::{Ack, DriverError, ErrorKind, Headers, Message, Outcome};

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It happened; the keys are those that a fixture can expect (`reply`, `ack`, `exit`, …).
    Ok(Parts),
    /// It did not, or may not have.
    Err(DriverError),
    /// The client cannot do it.
    Skip(String),
}

/// The parts of an outcome by their keys.
pub type Parts = BTreeMap<String, Data>;

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Bytes of standard base64; what is not base64 is taken as text.
pub fn from_base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// Headers as data: a string where a name has one value.
pub fn headers(headers: &Headers) -> Data {
    let text = |value: &String| Data::String(value.clone());
    let fields = headers.iter().map(|(name, values)| match values.as_slice() {
        [value] => (name.clone(), text(value)),
        values => (name.clone(), values.iter().map(text).collect()),
    });
    Data::Object(fields.collect())
}

impl Seen {
    /// What a typed call returned.
    pub fn call(outcome: Outcome) -> Self {
        Self::map(outcome, |value| Ok(fields([("reply", value.into())])))
    }

    /// A raw reply.
    pub fn request(outcome: Outcome) -> Self {
        Self::map(outcome, |value| {
            let message: Message = serde_json::from_value(value)?;
            let (body, headers) = (body(&message), headers(&message.headers));
            Ok(fields([("reply", body), ("reply_headers", headers)]))
        })
    }

    /// A flushed publish.
    pub fn publish(outcome: Outcome) -> Self {
        Self::map(outcome, |_| Ok(Parts::new()))
    }

    /// A JetStream acknowledgement.
    pub fn submit(outcome: Outcome) -> Self {
        Self::map(outcome, |value| {
            let ack: Ack = serde_json::from_value(value)?;
            Ok(fields([("ack", serde_json::to_value(ack)?.into())]))
        })
    }

    /// A message of a subscription.
    pub fn message(message: &Message) -> Self {
        Self::Ok(fields([
            ("subject", Data::String(message.subject.clone())),
            ("body", body(message)),
            ("headers", headers(&message.headers)),
        ]))
    }

    /// Messages of a subscription, in the order in which they came.
    pub fn messages(messages: &[Message]) -> Self {
        Self::Ok(fields([
            ("subjects", messages.iter().map(|m| Data::String(m.subject.clone())).collect()),
            ("bodies", messages.iter().map(body).collect()),
            ("headers", messages.iter().map(|m| headers(&m.headers)).collect()),
        ]))
    }

    /// An entry of a bucket: `value`, `revision`, and what is said of it.
    pub fn entry(entry: Vec<(&str, Data)>) -> Self {
        let mut fields: Vec<(String, Data)> =
            entry.into_iter().map(|(key, part)| (key.to_owned(), part)).collect();
        fields.sort();
        Self::Ok(Parts::from([("entry".to_owned(), Data::Object(fields))]))
    }

    /// There is none; what is expected of it is `"#absent"`.
    pub fn nothing() -> Self {
        Self::Ok(fields([("none", Data::Bool(true))]))
    }

    /// What an object store has, or a page of a service.
    pub fn content(bytes: &[u8]) -> Self {
        Self::Ok(fields([("reply", Data::read(bytes))]))
    }

    /// What the web side of a service answers.
    pub fn page(status: u16, reply_headers: &Headers, body: &[u8]) -> Self {
        Self::Ok(fields([
            ("status", Data::Number(status.to_string())),
            ("reply_headers", headers(reply_headers)),
            ("reply", Data::read(body)),
        ]))
    }

    /// A program that ended.
    pub fn program(exit: Data, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Self::Ok(fields([
            ("exit", exit),
            ("stdout", Data::text(stdout)),
            ("stderr", Data::text(stderr)),
        ]))
    }

    /// With every text in it as `told` has it.
    pub fn told_by(self, told: &impl Fn(String) -> String) -> Self {
        match self {
            Self::Ok(parts) => {
                Self::Ok(parts.into_iter().map(|(key, part)| (key, part.told_by(told))).collect())
            }
            Self::Err(error) => Self::Err(DriverError { message: told(error.message), ..error }),
            Self::Skip(reason) => Self::Skip(told(reason)),
        }
    }

    fn map(
        outcome: Outcome,
        read: impl Fn(serde_json::Value) -> Result<Parts, serde_json::Error>,
    ) -> Self {
        match outcome {
            Outcome::Ok(value) => match read(value.clone()) {
                Ok(fields) => Self::Ok(fields),
                Err(error) => Self::Err(DriverError {
                    kind: ErrorKind::Other,
                    definite: false,
                    message: format!(
                        "the driver answered {value}, which is of another form: {error}"
                    ),
                    code: None,
                }),
            },
            Outcome::Err(error) => Self::Err(error),
            Outcome::Skip(reason) => Self::Skip(reason),
        }
    }

    /// The part of an outcome that a JSON pointer of `save` is about.
    pub fn main_part(&self) -> Data {
        let Self::Ok(parts) = self else { return Data::Null };
        match main_key(parts) {
            Some(key) => parts[key].clone(),
            None => Data::Object(parts.clone().into_iter().collect()),
        }
    }
}

/// `no_responders, definite`.
pub fn describe(error: &DriverError) -> String {
    described(&error_value(error))
}

/// The same of an error in which matchers may stand.
pub fn described(error: &Data) -> String {
    let part = |key| error.get(key).filter(|part| **part != Data::Null);
    let kind = part("kind").map_or("other".to_owned(), part_text);
    let code = part("code").map(|code| format!(" {}", part_text(code))).unwrap_or_default();
    let definite = match part("definite") {
        Some(Data::Bool(true)) => "definite".to_owned(),
        Some(Data::Bool(false)) | None => "may have happened".to_owned(),
        Some(part) => part_text(part),
    };
    format!("{kind}{code}, {definite}")
}

/// A word without quotation marks, anything else as JSON.
pub fn part_text(part: &Data) -> String {
    match part {
        Data::String(text) | Data::Matched(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where most of an outcome is.
fn main_key(parts: &Parts) -> Option<&'static str> {
    ["reply", "ack", "entry", "body", "bodies"].into_iter().find(|key| parts.contains_key(*key))
}

/// An error as patterns see it.
pub fn error_value(error: &DriverError) -> Data {
    serde_json::to_value(error).unwrap_or_default().into()
}

fn body(message: &Message) -> Data {
    Data::read(&from_base64(&message.payload_base64))
}

fn fields<const N: usize>(entries: [(&str, Data); N]) -> Parts {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_raw_reply_is_read_as_json_or_text() {
        let message =
            |body: &[u8]| Outcome::Ok(json!({"subject": "x", "payload_base64": base64(body)}));
        let read = |body: &[u8]| Seen::request(message(body)).main_part();
        assert_eq!(read(b"{\"a\":1}"), json!({"a": 1}).into());
        assert_eq!(read(b"\"hello\""), Data::String("hello".to_owned()));
        assert_eq!(read(b"hello"), Data::Text("hello".to_owned()));
        assert_eq!(read(b""), Data::Text(String::new()));
        assert_eq!(read(b"\xff"), Data::Bytes(b"\xff".to_vec()));
        assert!(matches!(Seen::request(Outcome::Ok(json!(1))), Seen::Err(_)));
    }
}
