//! How an outcome compares with what a step expects of it.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Parts, Seen, describe, error_value, part_text};
use crate::e2e::scenario::ast::step::Expect;
use crate::e2e::text::data::Data;
use crate::e2e::text::matcher;
use crate::e2e::text::matcher::Difference;
use crate::wire::driver::{DriverError, ErrorKind};
use crate::wire::headers::{self as h, bounded};

impl Seen {
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

/// A pattern over the headers of a page, with their names as they came: HTTP has them without case.
pub(super) fn in_their_case<'a>(
    key: &str,
    pattern: &'a Value,
    seen: &Data,
    is_page: bool,
) -> Cow<'a, Value> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::seen::samples::{expect, timeout};
    use crate::e2e::scenario::ast::step::InGolden;
    use crate::wire::driver::{Headers, Message, Outcome};

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
}
