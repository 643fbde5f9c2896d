//! What a step came to, as data that expectations are compared with and transcripts are made of.

use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::e2e::scenario::ast::step::Expect;
use crate::e2e::text::matcher;
use crate::e2e::text::matcher::Difference;
use crate::wire::driver::{Ack, DriverError, Headers, Message, Outcome};

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It happened; the keys are those that a fixture can expect (`reply`, `ack`, `exit`, …).
    Ok(Map<String, Value>),
    /// It did not, or may not have.
    Err(DriverError),
    /// The client cannot do it.
    Skip(String),
}

/// How a body was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing at all.
    Empty,
    /// JSON.
    Json(Value),
    /// Text that is not JSON.
    Text(String),
    /// Neither; base64.
    Bytes(String),
}

impl Body {
    /// Reads a body in the most telling way.
    pub fn read(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
            (Ok(value), _) => Self::Json(value),
            (Err(_), Ok(text)) => Self::Text(text.to_owned()),
            (Err(_), Err(_)) => Self::Bytes(base64(bytes)),
        }
    }

    /// As data: JSON as it is, text and base64 as strings, nothing as the empty string.
    pub fn value(self) -> Value {
        match self {
            Self::Empty => Value::String(String::new()),
            Self::Json(value) => value,
            Self::Text(text) | Self::Bytes(text) => Value::String(text),
        }
    }
}

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
pub fn headers(headers: &Headers) -> Value {
    headers
        .iter()
        .map(|(name, values)| match values.as_slice() {
            [value] => (name.clone(), json!(value)),
            values => (name.clone(), json!(values)),
        })
        .collect::<Map<_, _>>()
        .into()
}

impl Seen {
    /// What a typed call returned.
    pub fn call(outcome: Outcome) -> Self {
        Self::map(outcome, |value| Ok(fields([("reply", value)])))
    }

    /// A raw reply.
    pub fn request(outcome: Outcome) -> Self {
        Self::map(outcome, |value| {
            let message: Message = serde_json::from_value(value)?;
            let body = Body::read(&from_base64(&message.payload_base64));
            Ok(fields([("reply", body.value()), ("reply_headers", headers(&message.headers))]))
        })
    }

    /// A flushed publish.
    pub fn publish(outcome: Outcome) -> Self {
        Self::map(outcome, |_| Ok(Map::new()))
    }

    /// A JetStream acknowledgement.
    pub fn submit(outcome: Outcome) -> Self {
        Self::map(outcome, |value| {
            let ack: Ack = serde_json::from_value(value)?;
            Ok(fields([("ack", serde_json::to_value(ack)?)]))
        })
    }

    /// A message of a subscription.
    pub fn message(message: &Message) -> Self {
        let body = Body::read(&from_base64(&message.payload_base64));
        Self::Ok(fields([
            ("subject", json!(message.subject)),
            ("body", body.value()),
            ("headers", headers(&message.headers)),
        ]))
    }

    /// Messages of a subscription, in the order in which they came.
    pub fn messages(messages: &[Message]) -> Self {
        let body = |m: &Message| Body::read(&from_base64(&m.payload_base64)).value();
        Self::Ok(fields([
            ("subjects", messages.iter().map(|m| json!(m.subject)).collect()),
            ("bodies", messages.iter().map(body).collect()),
            ("headers", messages.iter().map(|m| headers(&m.headers)).collect()),
        ]))
    }

    /// A program that ended.
    pub fn program(exit: Value, stdout: String, stderr: String) -> Self {
        Self::Ok(fields([("exit", exit), ("stdout", json!(stdout)), ("stderr", json!(stderr))]))
    }

    /// With every text in it as `told` has it.
    pub fn told_by(self, told: &impl Fn(String) -> String) -> Self {
        fn value(of: Value, told: &impl Fn(String) -> String) -> Value {
            match of {
                Value::String(text) => Value::String(told(text)),
                Value::Array(items) => items.into_iter().map(|item| value(item, told)).collect(),
                Value::Object(fields) => Value::Object(map(fields, told)),
                other => other,
            }
        }
        fn map(fields: Map<String, Value>, told: &impl Fn(String) -> String) -> Map<String, Value> {
            fields.into_iter().map(|(key, of)| (told(key), value(of, told))).collect()
        }
        match self {
            Self::Ok(fields) => Self::Ok(map(fields, told)),
            Self::Err(error) => Self::Err(DriverError { message: told(error.message), ..error }),
            Self::Skip(reason) => Self::Skip(told(reason)),
        }
    }

    fn map(
        outcome: Outcome,
        read: impl Fn(Value) -> Result<Map<String, Value>, serde_json::Error>,
    ) -> Self {
        match outcome {
            Outcome::Ok(value) => match read(value.clone()) {
                Ok(fields) => Self::Ok(fields),
                Err(error) => Self::Err(DriverError {
                    kind: crate::wire::driver::ErrorKind::Other,
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
    pub fn main_part(&self) -> Value {
        let Self::Ok(fields) = self else {
            return Value::Null;
        };
        let part = ["reply", "ack", "body", "bodies"].iter().find_map(|key| fields.get(*key));
        part.cloned().unwrap_or_else(|| Value::Object(fields.clone()))
    }

    /// Holds the outcome against all expectations.
    ///
    /// # Errors
    /// The first that does not hold, and which it is; `None` where an error was not expected.
    pub fn check<'a>(&self, expects: &'a [Expect]) -> Result<(), (Option<&'a Expect>, Difference)> {
        let expects_error = expects.iter().find(|expect| expect.key == "error");
        match (self, expects_error) {
            (Self::Skip(_), _) => Ok(()),
            (Self::Err(error), Some(expect)) => {
                matcher::compare(&expect.pattern, &error_value(error), expect.exact, "error")
                    .map_err(|difference| (Some(expect), difference))
            }
            (Self::Err(error), None) => Err((
                expects.first(),
                Difference {
                    path: String::new(),
                    expected: "success".to_owned(),
                    seen: format!("the error {}: {}", describe(error), error.message),
                },
            )),
            (Self::Ok(fields), Some(expect)) => Err((
                Some(expect),
                Difference {
                    path: String::new(),
                    expected: "an error".to_owned(),
                    seen: matcher::canonical(&Value::Object(fields.clone())),
                },
            )),
            (Self::Ok(fields), None) => {
                for expect in expects {
                    let seen = fields.get(expect.key).unwrap_or(&Value::Null);
                    matcher::compare(&expect.pattern, seen, expect.exact, expect.key)
                        .map_err(|difference| (Some(expect), difference))?;
                }
                Ok(())
            }
        }
    }
}

/// `no_responders, definite`.
pub fn describe(error: &DriverError) -> String {
    let kind = serde_json::to_value(error.kind).unwrap_or_default();
    let code = error.code.map(|code| format!(" {code}")).unwrap_or_default();
    let definite = if error.definite { "definite" } else { "may have happened" };
    format!("{}{code}, {definite}", kind.as_str().unwrap_or("other"))
}

fn error_value(error: &DriverError) -> Value {
    serde_json::to_value(error).unwrap_or_default()
}

fn fields<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::driver::ErrorKind;

    fn expect(key: &'static str, pattern: Value) -> Expect {
        Expect { key, span: 0..0, pattern, exact: false }
    }

    fn timeout() -> Seen {
        Seen::Err(DriverError {
            kind: ErrorKind::Timeout,
            definite: false,
            message: "no answer".to_owned(),
            code: None,
        })
    }

    #[test]
    fn an_error_that_nobody_expects_is_a_difference() {
        let reply = [expect("reply", json!(15))];
        let (at, difference) = timeout().check(&reply).unwrap_err();
        assert_eq!(at.unwrap().key, "reply");
        assert_eq!(
            difference.to_string(),
            "expected success, saw the error timeout, may have happened: no answer"
        );
        assert!(timeout().check(&[]).is_err());
        assert!(timeout().check(&[expect("error", json!({"kind": "timeout"}))]).is_ok());
        let wrong = [expect("error", json!({"definite": true}))];
        assert!(timeout().check(&wrong).is_err());
    }

    #[test]
    fn success_is_a_difference_where_an_error_is_expected() {
        let seen = Seen::call(Outcome::Ok(json!(15)));
        assert!(seen.check(&[expect("reply", json!(15))]).is_ok());
        assert!(seen.check(&[expect("reply", json!(16))]).is_err());
        assert!(seen.check(&[expect("error", json!({}))]).is_err());
    }

    #[test]
    fn a_raw_reply_is_read_as_json_or_text() {
        let message =
            |body: &[u8]| Outcome::Ok(json!({"subject": "x", "payload_base64": base64(body)}));
        assert_eq!(Seen::request(message(b"{\"a\":1}")).main_part(), json!({"a": 1}));
        assert_eq!(Seen::request(message(b"hello")).main_part(), json!("hello"));
        assert_eq!(Seen::request(message(b"")).main_part(), json!(""));
        assert_eq!(Seen::request(message(b"\xff")).main_part(), json!("/w=="));
        assert!(matches!(Seen::request(Outcome::Ok(json!(1))), Seen::Err(_)));
    }
}
