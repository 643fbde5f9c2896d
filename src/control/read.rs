//! A line as a command, or which field of it is wrong and why.

use serde_json::{Value, json};

use super::refused::bad_input;
use crate::wire::control::{ControlError, OPERATIONS, Op};
use crate::wire::headers::bounded;
use crate::wire::paper;

/// So much of a line that is no command is told.
const EXCERPT: usize = 200;

/// The command's id, where there is one, and what to do.
pub(super) fn command(line: &[u8]) -> (Option<u64>, Result<Op, ControlError>) {
    let text = String::from_utf8_lossy(line);
    let shown = || bounded(&text, EXCERPT);
    let mut command = match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(command)) => command,
        Ok(_) => return (None, Err(bad_input(format!("a line that is no object: {}", shown())))),
        Err(error) => {
            return (
                None,
                Err(bad_input(format!("a line that is no JSON ({error}): {}", shown()))),
            );
        }
    };
    let id = command.remove("id");
    let Some(id) = id.as_ref().and_then(Value::as_u64) else {
        let found = id.map_or("it has none".to_owned(), |id| format!("it is {id}"));
        let why = format!("a command needs an `id`, a whole number, and {found}: {}", shown());
        return (None, Err(bad_input(why)));
    };
    (Some(id), operation(Value::Object(command)))
}

fn operation(command: Value) -> Result<Op, ControlError> {
    let word = match &command["op"] {
        Value::String(word) if OPERATIONS.contains(&word.as_str()) => word.clone(),
        Value::Null => return Err(bad_input("a command needs an `op`")),
        other => {
            let known = OPERATIONS.join(", ");
            return Err(bad_input(format!("there is no operation {other}; there is {known}")));
        }
    };
    serde_json::from_value(command.clone()).map_err(|error| {
        let told = wrong(&word, &command).unwrap_or_else(|| error.to_string());
        bad_input(format!("{word}: {told}"))
    })
}

/// Which fields are wrong: the schema knows their places, which the reader of the line does not.
fn wrong(word: &str, command: &Value) -> Option<String> {
    let schema = paper::of::<Op>();
    let is_it = |op: &&Value| op["properties"]["op"]["const"] == word;
    let mut of_word = schema["oneOf"].as_array()?.iter().find(is_it)?.clone();
    of_word["$defs"] = schema.get("$defs").cloned().unwrap_or_else(|| json!({}));
    let validator = jsonschema::draft202012::new(&of_word).ok()?;
    let told: Vec<String> = validator
        .iter_errors(command)
        .map(|error| match field(&error.instance_path().to_string()) {
            place if place.is_empty() => error.to_string(),
            place => format!("{place}: {error}"),
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// `/settings/port` as `settings.port`.
fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::ErrorKind;

    fn refused(line: &str) -> (Option<u64>, String) {
        let (id, op) = command(line.as_bytes());
        let error = op.expect_err(line);
        assert_eq!(error.kind, ErrorKind::BadInput, "{line}");
        (id, error.message)
    }

    #[test]
    fn what_is_wrong_is_named_with_its_verb_its_field_and_the_evidence() {
        for (line, id, words) in [
            ("nonsense", None, &["no JSON", "nonsense"][..]),
            ("[1]", None, &["no object", "[1]"]),
            (r#"{"op":"status"}"#, None, &["`id`", "it has none"]),
            (r#"{"id":-1,"op":"status"}"#, None, &["`id`", "it is -1"]),
            (r#"{"id":1}"#, Some(1), &["`op`"]),
            (r#"{"id":1,"op":"stat"}"#, Some(1), &["\"stat\"", "status"]),
            (r#"{"id":1,"op":7}"#, Some(1), &["7", "status"]),
            (r#"{"id":1,"op":"leaks"}"#, Some(1), &["leaks:", "\"of\"", "required"]),
            (r#"{"id":1,"op":"logs","off":"b"}"#, Some(1), &["logs:", "'off'"]),
            (
                r#"{"id":1,"op":"broker.start","settings":{"port":"x"}}"#,
                Some(1),
                &["broker.start: settings.port:", "\"x\""],
            ),
            (
                r#"{"id":1,"op":"broker.start","settings":{"port":70000}}"#,
                Some(1),
                &["broker.start: settings.port:", "70000"],
            ),
            (
                r#"{"id":1,"op":"broker.start","settings":{"prot":1}}"#,
                Some(1),
                &["broker.start: settings:", "'prot'"],
            ),
            (
                r#"{"id":1,"op":"fault","of":"b","fault":{"kind":"kil"}}"#,
                Some(1),
                &["fault: fault", "kil"],
            ),
            (
                r#"{"id":1,"op":"service.start","run":"sleep"}"#,
                Some(1),
                &["service.start: run:", "\"sleep\"", "array"],
            ),
        ] {
            let (found, told) = refused(line);
            assert_eq!(found, id, "{line}");
            for word in words {
                assert!(told.contains(word), "{line}: {told}, not {word}");
            }
        }
    }

    #[test]
    fn a_command_is_read() {
        let (id, op) = command(br#"{"id":1,"op":"stop","of":"b"}"#);
        assert_eq!((id, op), (Some(1), Ok(Op::Stop { of: Some("b".to_owned()) })));
    }
}
