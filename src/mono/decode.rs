//! Reads a request's JSON, and names the field that is wrong.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::headers::{bounded, one_line};

/// Reads a JSON body, or says in one bounded line why it cannot be read.
///
/// # Errors
/// The text of the JSON error with its position, fit for a header.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| {
        // Valid JSON that Rust cannot represent, such as 1e400, is an error of syntax to serde_json.
        let unfit = e.is_data() || is_out_of_range(&e);
        let what = if unfit { "does not fit" } else { "is not valid JSON" };
        let field = if is_out_of_range(&e) { out_of_range(body) } else { String::new() };
        one_line(&format!("request {what}: {field}{e}"))
    })
}

fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// The field with a number that is out of range, as the beginning of a message.
fn out_of_range(body: &[u8]) -> String {
    let fields: HashMap<String, Box<RawValue>> = serde_json::from_slice(body).unwrap_or_default();
    let bad = fields.iter().find(|(_, value)| {
        serde_json::from_str::<Value>(value.get()).is_err_and(|error| is_out_of_range(&error))
    });
    bad.map_or_else(String::new, |(name, _)| format!("field `{}`: ", bounded(name, 80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_out_of_range_is_told_with_its_field() {
        #[derive(Debug, serde::Deserialize)]
        struct Pair {
            #[expect(dead_code, reason = "it is never read")]
            a: f64,
        }
        for (body, start) in [
            (
                r#"{"x":1,"a":1e400}"#,
                "request does not fit: field `a`: number out of range at line 1",
            ),
            (r#"{"a":-1e309,"x":[1]}"#, "request does not fit: field `a`: number out of range"),
            (r#"{"a":[1e400]}"#, "request does not fit: invalid type: sequence"),
            (r#"{"a":1e400"#, "request does not fit: number out of range"),
            ("nothing", "request is not valid JSON: expected ident"),
        ] {
            let error = decode::<Pair>(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(start), "{body}: {error}");
        }
    }
}
