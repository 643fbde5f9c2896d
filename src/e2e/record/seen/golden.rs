//! What a golden file keeps of an outcome.

use serde_json::{Value, json};

use super::expected::in_their_case;
use super::{Parts, Seen, error_value, fields, main_key};
use crate::e2e::scenario::ast::step::{Expect, InGolden};
use crate::e2e::text::data::Data;
use crate::e2e::text::matched::matched;

/// Headers that a broker adds to what a stream sends on: they differ from run to run, or say where the
/// message was.
const OF_THE_BROKER: [&str; 5] =
    ["Nats-Last-Sequence", "Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp"];

impl Seen {
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
}

/// Whether a pattern over headers, of one message or several, names this one.
fn names(pattern: &Value, name: &str) -> bool {
    match pattern {
        Value::Array(messages) => messages.iter().any(|pattern| names(pattern, name)),
        pattern => pattern.get(name).is_some(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::seen::samples::{expect, timeout};
    use crate::e2e::record::seen::{base64, described, part_text};
    use crate::wire::driver::{Headers, Message, Outcome};

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
