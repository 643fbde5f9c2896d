//! What was heard from a service, as what a scenario expects: values that will be others the next time
//! become matchers, or the names of values that were kept.

use serde_json::{Map, Value};

use super::known::Known;
use super::sent::is_taken_for_a_name;
use crate::e2e::text::data::Data;
use crate::e2e::text::pattern::pattern;
use crate::e2e::text::secret::Redactor;
use crate::e2e::text::template;
use crate::e2e::text::volatile;
use crate::wire::driver::Headers;
use crate::wire::headers::{SERVICE_ERROR, SERVICE_ERROR_CODE};

/// A longer text is expected to be one, and no more.
const LONGEST: usize = 4096;

/// What is expected of a body.
pub(super) fn body(data: &Data, known: &Known, message: usize) -> Value {
    pattern("", data, &|key, value| special(key, value, known, message))
}

/// What is expected of headers, if anything: those of services, and none of the server and of libraries.
pub(super) fn headers(headers: &Headers, known: &Known, message: usize) -> Option<Value> {
    let is_of_services = |name: &str| {
        !name.starts_with(':')
            && (!name.starts_with("Nats-") || [SERVICE_ERROR, SERVICE_ERROR_CODE].contains(&name))
    };
    let of_one = |name: &str, text: &String| {
        let value = Data::String(text.clone());
        // A header's number is a text.
        let number = text.parse::<f64>().is_ok()
            && (volatile::is_measure(name) || volatile::is_since_1970(text));
        match number {
            true => Value::from("#any"),
            false => pattern(name, &value, &|key, value| special(key, value, known, message)),
        }
    };
    let expected: Map<String, Value> = headers
        .iter()
        .filter(|(name, _)| is_of_services(name))
        .map(|(name, values)| match values.as_slice() {
            [text] => (name.clone(), of_one(name, text)),
            texts => (name.clone(), texts.iter().map(|text| of_one(name, text)).collect()),
        })
        .collect();
    (!expected.is_empty()).then(|| expected.into())
}

fn special(key: &str, value: &Data, known: &Known, message: usize) -> Option<Value> {
    match value {
        Data::Bytes(bytes) => (bytes.len() > LONGEST).then(|| "#any".into()),
        Data::Number(digits) => {
            let name = known.name_of(digits, volatile::is_id(key), message);
            let is_own = known.is_own(digits) && !volatile::is_measure(key);
            let other = || volatile::pattern(key, value).filter(|_| !is_own);
            name.map(Value::from).or_else(other)
        }
        Data::String(text) | Data::Text(text) => {
            let filled = known.filled(text, volatile::is_id(key), message);
            match () {
                // Values of the scenario's are in it.
                () if filled != template::escaped(text) => {
                    Some(if text.starts_with('#') { format!("#{filled}") } else { filled }.into())
                }
                () if is_taken_for_a_name(text) => {
                    Some(format!("#re:^{}$", regex_lite::escape(text)).into())
                }
                () if Redactor::is_in(text) => Some("#string".into()),
                () if known.is_own(text) => None,
                () if text.len() > LONGEST => Some("#string".into()),
                () => volatile::pattern(key, value),
            }
        }
        Data::Object(fields) if fields.iter().any(|(key, _)| is_taken_for_a_name(key)) => {
            Some("#any".into())
        }
        _ => None,
    }
}
