//! The outcome of a step, as data for expectations and transcripts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::e2e::scenario::ast::step::{Expect, InGolden};
use crate::e2e::text::data::Data;
use crate::e2e::text::matched::matched;
use crate::e2e::text::matcher;
use crate::e2e::text::matcher::Difference;
use crate::wire::driver::{Ack, DriverError, ErrorKind, Headers, Message, Outcome};
use crate::wire::headers::{self as h, bounded};

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

/// Headers that a broker adds to what a stream sends on: they differ from run to run, or say where the
/// message was.
const OF_THE_BROKER: [&str; 5] =
    ["Nats-Last-Sequence", "Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp"];

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
    pub fn main_part(&self) -> Data {
        let Self::Ok(parts) = self else { return Data::Null };
        match main_key(parts) {
            Some(key) => parts[key].clone(),
            None => Data::Object(parts.clone().into_iter().collect()),
        }
    }

    /// Its form in a golden file: matchers in place of the values that they matched, without the
    /// parts that are left out.
    pub fn in_golden(&self, expects: &[Expect], of: &InGolden) -> Self {
        let mut parts = match self {
            Self::Ok(parts) => parts.clone(),
            Self::Err(error) => fields([("error", error_value(error))]),
            Self::Skip(_) => return self.clone(),
        };
        let is_page = parts.contains_key("status");
        for expect in expects {
            // Each body stays beside its subject and headers.
            let in_place = match expect.pattern.get("#unordered") {
                Some(bodies) if expect.key == "bodies" => Some(json!({ "#contains": bodies })),
                _ => None,
            };
            if let Some(part) = parts.get_mut(expect.key) {
                let pattern = in_place.as_ref().unwrap_or(&expect.pattern);
                *part =
                    matched(&in_their_case(expect.key, pattern, part, is_page), part, expect.exact);
            }
        }
        for key in ["reply_headers", "headers"] {
            let expected = |name: &&str| {
                expects.iter().any(|expect| expect.key == key && names(&expect.pattern, name))
            };
            let added = OF_THE_BROKER.iter().filter(|name| !expected(name));
            if let Some(headers) = parts.get_mut(key) {
                added.for_each(|name| without(headers, name));
            }
        }
        if let InGolden::Without(pointers) = of {
            pointers.iter().for_each(|pointer| leave_out(&mut parts, pointer));
        }
        Self::Ok(parts)
    }

    /// Compares the outcome with all expectations.
    ///
    /// # Errors
    /// The first expectation that does not hold; `None` for an unexpected error.
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
            // As a typed client has it, so that a step may be about that alone.
            (Self::Ok(fields), Some(expect)) => {
                let difference = match service_error(fields).as_ref().map(error_value) {
                    Some(error) => {
                        matcher::compare(&expect.pattern, &error, expect.exact, "error").err()
                    }
                    None => Some(Difference {
                        path: String::new(),
                        expected: "an error".to_owned(),
                        seen: Data::Object(fields.clone().into_iter().collect()).to_string(),
                    }),
                };
                difference.map_or(Ok(()), |difference| Err((Some(expect), difference)))
            }
            (Self::Ok(fields), None) => {
                let absent = |expect: &&Expect| {
                    expect.pattern == "#absent" && !fields.contains_key(expect.key)
                };
                let is_page = fields.contains_key("status");
                for expect in expects.iter().filter(|expect| !absent(expect)) {
                    let seen = fields.get(expect.key).unwrap_or(&Data::Null);
                    let pattern = in_their_case(expect.key, &expect.pattern, seen, is_page);
                    let pattern = match expect.key {
                        "headers" | "reply_headers" => Cow::Owned(of_one_value(&pattern)),
                        _ => pattern,
                    };
                    matcher::compare(&pattern, seen, expect.exact, expect.key)
                        .map_err(|difference| (Some(expect), beside_error(difference, fields)))?;
                }
                Ok(())
            }
        }
    }
}

/// The error of a service that a raw reply carries in its headers (ADR-32).
fn service_error(parts: &Parts) -> Option<DriverError> {
    // A page has a status of its own.
    let headers = parts.get("reply_headers").filter(|_| !parts.contains_key("status"))?;
    let text = |name: &str| headers.get(name).map(part_text);
    let (code, words) = (text(h::SERVICE_ERROR_CODE), text(h::SERVICE_ERROR));
    if code.is_none() && words.is_none() {
        return None;
    }
    Some(DriverError {
        kind: ErrorKind::ServiceError,
        definite: true,
        message: words.unwrap_or_default(),
        code: code.and_then(|code| code.parse().ok()),
    })
}

/// A difference, with the error that stands in the headers beside what differs.
fn beside_error(difference: Difference, parts: &Parts) -> Difference {
    let Some(error) = service_error(parts) else { return difference };
    let code = error.code.map(|code| format!(" {code}")).unwrap_or_default();
    let seen = format!(
        "{}; the reply carries the service's error{code} `{}`",
        difference.seen,
        bounded(&error.message, 200)
    );
    Difference { seen, ..difference }
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

/// An error as patterns see it.
pub fn error_value(error: &DriverError) -> Data {
    serde_json::to_value(error).unwrap_or_default().into()
}

fn body(message: &Message) -> Data {
    Data::read(&from_base64(&message.payload_base64))
}

/// Where most of an outcome is.
fn main_key(parts: &Parts) -> Option<&'static str> {
    ["reply", "ack", "entry", "body", "bodies"].into_iter().find(|key| parts.contains_key(*key))
}

/// Whether a pattern over headers, of one message or several, names this one.
fn names(pattern: &Value, name: &str) -> bool {
    match pattern {
        Value::Array(messages) => messages.iter().any(|pattern| names(pattern, name)),
        pattern => pattern.get(name).is_some(),
    }
}

/// A pattern over the headers of a page, with their names as they came: HTTP has them without case.
fn in_their_case<'a>(key: &str, pattern: &'a Value, seen: &Data, is_page: bool) -> Cow<'a, Value> {
    let (Value::Object(wanted), Data::Object(seen)) = (pattern, seen) else {
        return Cow::Borrowed(pattern);
    };
    if key != "reply_headers" || !is_page {
        return Cow::Borrowed(pattern);
    }
    let came = |name: &String| {
        let (came, _) = seen.iter().find(|(came, _)| came.eq_ignore_ascii_case(name))?;
        Some(came.clone())
    };
    let named = wanted.iter().map(|(name, of)| (came(name).unwrap_or(name.clone()), of.clone()));
    Cow::Owned(Value::Object(named.collect()))
}

/// A pattern over headers, of one message or several, in which `"#any"` is one value of a name: a
/// second one is something else.
fn of_one_value(pattern: &Value) -> Value {
    let one = |of: &Value| match of.as_str() {
        Some("#any") => "#string".into(),
        _ => of.clone(),
    };
    match pattern {
        Value::Array(messages) => messages.iter().map(of_one_value).collect(),
        Value::Object(table) => match matcher::of_array(table) {
            Some((word, messages)) => {
                let messages: Value = messages.iter().map(of_one_value).collect();
                json!({ word: messages })
            }
            None => table.iter().map(|(name, of)| (name.clone(), one(of))).collect(),
        },
        other => other.clone(),
    }
}

/// Takes a header out of one message, or of each of several.
fn without(headers: &mut Data, name: &str) {
    match headers {
        Data::Array(messages) => messages.iter_mut().for_each(|headers| without(headers, name)),
        headers => headers.remove(&format!("/{name}")),
    }
}

/// Takes out what a pointer leads to; of several messages, in the body of each.
fn leave_out(parts: &mut Parts, pointer: &str) {
    match main_key(parts).and_then(|key| Some((key, parts.get_mut(key)?))) {
        Some(("bodies", Data::Array(bodies))) => {
            bodies.iter_mut().for_each(|body| body.remove(pointer));
        }
        Some((_, part)) => part.remove(pointer),
        None => {
            let mut all = Data::Object(std::mem::take(parts).into_iter().collect());
            all.remove(pointer);
            if let Data::Object(left) = all {
                parts.extend(left);
            }
        }
    }
}

fn fields<const N: usize>(entries: [(&str, Data); N]) -> Parts {
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
    fn the_error_of_a_service_is_seen_in_the_headers_of_a_raw_reply() {
        let message = |headers: Value| {
            let message = json!({"subject": "x", "payload_base64": "", "headers": headers});
            Seen::request(Outcome::Ok(message))
        };
        let headers = json!({
            "Nats-Service-Error": ["missing field `params`"],
            "Nats-Service-Error-Code": ["400"],
        });
        let refused = message(headers);
        for expected in [json!({"kind": "service_error"}), json!({"code": 400, "definite": true})] {
            assert!(refused.check(&[expect("error", expected.clone())]).is_ok(), "{expected}");
            assert!(message(json!({})).check(&[expect("error", expected)]).is_err());
        }
        assert!(refused.check(&[expect("error", json!({"kind": "timeout"}))]).is_err());
        // Nobody has to expect it.
        assert!(refused.check(&[expect("reply", json!(""))]).is_ok());
        let (_, difference) = refused
            .check(&[expect("reply", json!({"a": 1}))])
            .map_err(|(at, d)| (at.is_some(), d))
            .unwrap_err();
        let told = "the reply carries the service's error 400 `missing field `params``";
        assert!(difference.to_string().ends_with(told), "{difference}");
    }

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

    #[test]
    fn headers_of_a_page_have_no_case_and_any_is_one_value() {
        let headers = Headers::from([("set-cookie".to_owned(), vec!["secret=1".to_owned()])]);
        let page = Seen::page(200, &headers, b"");
        let expect_of = |pattern| [expect("reply_headers", pattern)];
        assert!(page.check(&expect_of(json!({ "Set-Cookie": "#absent" }))).is_err());
        assert!(page.check(&expect_of(json!({ "Set-Cookie": "secret=1" }))).is_ok());
        assert!(page.check(&expect_of(json!({ "X-Other": "#absent" }))).is_ok());
        let golden = page.in_golden(&expect_of(json!({ "SET-COOKIE": "#any" })), &InGolden::Whole);
        let Seen::Ok(parts) = golden else { panic!() };
        assert_eq!(parts["reply_headers"].to_string(), r##"{"set-cookie":"#any"}"##);

        let message = |values: &[&str]| Message {
            subject: "x".to_owned(),
            payload_base64: String::new(),
            headers: [("T".to_owned(), values.iter().map(|v| (*v).to_owned()).collect())].into(),
        };
        let any = [expect("headers", json!({ "T": "#any" }))];
        assert!(Seen::message(&message(&["1"])).check(&any).is_ok());
        assert!(Seen::message(&message(&["1", "2"])).check(&any).is_err());
        let each = [expect("headers", json!([{ "T": "#any" }]))];
        assert!(Seen::messages(&[message(&["1"])]).check(&each).is_ok());
        assert!(Seen::messages(&[message(&["1", "2"])]).check(&each).is_err());
        // Those of NATS have a case.
        let other = [expect("headers", json!({ "t": "#absent" }))];
        assert!(Seen::message(&message(&["1"])).check(&other).is_ok());
    }

    #[test]
    fn a_golden_file_has_matchers_and_nothing_of_what_is_left_out() {
        let reply = |pattern| [expect("reply", pattern)];
        let seen = Seen::call(Outcome::Ok(json!({"id": 7, "took": 3, "at": [1, 2]})));
        let without = InGolden::Without(vec!["/took".to_owned(), "/at/0".to_owned()]);
        let golden = seen.in_golden(&reply(json!({"id": "#number"})), &without);
        assert_eq!(golden.main_part().to_string(), r##"{"at":[2],"id":"#number"}"##);
        let message = |subject: &str, n: u32| Message {
            subject: subject.to_owned(),
            payload_base64: base64(json!({ "n": n, "took": n }).to_string().as_bytes()),
            headers: Headers::new(),
        };
        let two = Seen::messages(&[message("a", 1), message("b", 2)]);
        let bodies = [expect("bodies", json!({ "#unordered": [{ "n": 2 }, { "n": "#number" }] }))];
        let Seen::Ok(parts) = two.in_golden(&bodies, &without) else { panic!() };
        assert_eq!(parts["bodies"].to_string(), r##"[{"n":"#number"},{"n":2}]"##);
        assert_eq!(parts["subjects"].to_string(), r#"["a","b"]"#);
        let message = [expect("error", json!({"message": "#re:answer"}))];
        let Seen::Ok(parts) = timeout().in_golden(&message, &InGolden::Whole) else { panic!() };
        assert_eq!(part_text(parts["error"].get("message").unwrap()), "#re:answer");
        assert_eq!(described(&parts["error"]), "timeout, may have happened");
    }
}
