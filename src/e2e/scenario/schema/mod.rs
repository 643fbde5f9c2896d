//! The JSON Schema of a fixture, for editors: made of the tables that the reader uses.
//!
//! It knows form and not sense: that a variable is saved before it is used, or that a fault fits
//! the broker, only the reader says. What the schema refuses the reader refuses too, and the other
//! way round for every wrong type; a test holds them against each other.

use serde_json::{Map, Value, json};

use super::form::{Form, Key};
use super::keys::CheckWord;
use crate::e2e::scenario::{checks, keys, pointer, verbs};
use crate::e2e::text::matcher::{MATCHERS, OF_ARRAYS};

/// Draft 7, which editors know best; with the checks that oracles add.
pub fn schema(added: &[CheckWord]) -> Value {
    let mut scenario = table(keys::TOP);
    scenario["title"] = json!("a scenario");
    scenario["required"] = json!(["description", "step"]);
    let mut shared = table(keys::SHARED);
    shared["title"] = json!("shared steps, in a file whose name ends with .steps.toml");
    shared["required"] = json!(["step"]);
    let include = ("include", vec!["with"]);
    let verbs = verbs::verbs();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A fixture of mono-demo",
        "if": { "required": ["description"] },
        "then": scenario,
        "else": shared,
        "definitions": {
            "step": one_of(&[keys::STEP, keys::INCLUDE].concat(), verbs.chain([include]).collect()),
            "check": one_of(&keys::of_checks(added), checks::words(added)),
            "under": under(),
            "error": error(),
            "replaced": { "type": "string", "pattern": "\\{\\{[a-z0-9_]+\\}\\}" },
            "pattern": pattern(),
        },
    })
}

/// A table that has these keys and no others.
fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.word.to_owned(), described(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn described(key: &Key) -> Value {
    let mut schema = form(key);
    let reference = schema.get("$ref").is_some();
    if reference {
        // In draft 7 whatever stands beside a reference is not read.
        schema = json!({ "allOf": [schema] });
    }
    schema["description"] = json!(key.about);
    schema
}

/// The form of a value, in whose place a row's or a parameter's may stand.
fn form(key: &Key) -> Value {
    let schema = written(key.form);
    match key.form {
        Form::Texts
        | Form::Word(_)
        | Form::WordOrNames(..)
        | Form::Fault
        | Form::Count(_)
        | Form::Port
        | Form::Integer
        | Form::Durations
        | Form::Truth
        | Form::Duration
        | Form::Every
        | Form::Array
        | Form::Object => json!({ "anyOf": [schema, { "$ref": "#/definitions/replaced" }] }),
        _ => schema,
    }
}

fn written(form: Form) -> Value {
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Texts => texts(),
        Form::OneOrTexts | Form::Ids => json!({ "anyOf": [{ "type": "string" }, texts()] }),
        Form::Fault => json!({ "enum": verbs::fault_words() }),
        Form::Under => by_word(verbs::fault_words(), &json!({ "$ref": "#/definitions/under" })),
        Form::Word(words) => json!({ "enum": words }),
        Form::WordOrNames(words, names) => json!({
            "anyOf": [{ "enum": words }, { "type": "array", "items": { "enum": names } }],
        }),
        Form::Count(least) => json!({ "type": "integer", "minimum": least, "maximum": u32::MAX }),
        Form::Pointer => json!({ "type": "string", "pattern": pointer::PATTERN }),
        Form::Counts => {
            json!({ "type": "object", "additionalProperties": written(Form::Count(0)) })
        }
        Form::Revision => json!({
            "anyOf": [written(Form::Count(0)), { "type": "string", "pattern": "\\{\\{" }],
        }),
        Form::Integer => json!({ "type": "integer" }),
        Form::Durations => json!({
            "type": "array",
            "items": { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" },
        }),
        Form::Port => json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX }),
        Form::Truth => json!({ "type": "boolean" }),
        Form::Duration => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Form::Every => {
            json!({ "anyOf": [written(Form::Count(1)), written(Form::Duration)] })
        }
        Form::Data => json!({}),
        Form::Array => json!({ "type": "array" }),
        Form::Object => json!({ "type": "object" }),
        Form::Pattern => json!({ "$ref": "#/definitions/pattern" }),
        Form::Patterns => json!({
            "type": "array",
            "items": { "$ref": "#/definitions/pattern" },
            "minItems": 1,
        }),
        Form::Rows => json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": { "name": { "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" } },
                "propertyNames": { "pattern": "^[a-z0-9_]+$" },
            },
        }),
        Form::Headers => json!({
            "type": "object",
            "additionalProperties": { "anyOf": [{ "type": "string" }, texts()] },
        }),
        Form::Variables => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[^=]+$" },
            "additionalProperties": { "type": "string" },
        }),
        Form::Error => json!({ "$ref": "#/definitions/error" }),
        Form::Save => json!({
            "anyOf": [
                { "type": "string", "pattern": "^[a-z0-9_]+$" },
                {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": { "pattern": "^[a-z0-9_]+$" },
                    "additionalProperties": { "type": "string", "pattern": pointer::PATTERN_OR_ALL },
                },
            ],
        }),
        Form::Golden => json!({
            "anyOf": [
                { "type": "boolean" },
                { "type": "array", "items": { "type": "string", "pattern": pointer::PATTERN } },
            ],
        }),
        Form::Table(keys) => table(keys),
        Form::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
        Form::OneOrTables(keys) => json!({
            "anyOf": [table(keys), { "type": "array", "items": table(keys), "minItems": 1 }],
        }),
        Form::Named(keys) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" },
            "additionalProperties": { "anyOf": [table(keys), { "const": false }] },
        }),
        Form::Stored(keys) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
            "additionalProperties": table(keys),
        }),
        Form::Redactions => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" },
            "additionalProperties": { "type": "string", "minLength": 1 },
        }),
        Form::Services => {
            let tables = json!({ "type": "object", "additionalProperties": { "type": "object" } });
            json!({ "anyOf": [texts(), tables] })
        }
        Form::Steps => json!({ "type": "array", "items": { "$ref": "#/definitions/step" } }),
        Form::Checks => json!({ "type": "array", "items": { "$ref": "#/definitions/check" } }),
    }
}

/// A table that has these words and no others, all with values of one form.
fn by_word(words: Vec<&'static str>, of: &Value) -> Value {
    let words: Map<String, Value> =
        words.into_iter().map(|word| (word.to_owned(), of.clone())).collect();
    json!({ "type": "object", "properties": words, "additionalProperties": false })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

/// A string that begins with `#`, as a regular expression.
fn matcher() -> String {
    let (open, words): (Vec<&str>, Vec<&str>) =
        MATCHERS.iter().partition(|word| word.ends_with(':'));
    format!("^(##|{}|({})$)", open.join("|"), words.join("|"))
}

/// A string that begins with one `#` is a matcher.
fn pattern() -> Value {
    let itself = json!({ "$ref": "#/definitions/pattern" });
    let of_arrays = OF_ARRAYS.into_iter().map(|word| {
        let items = json!({ "type": "array", "items": itself });
        json!({
            "type": "object",
            "required": [word],
            "properties": { word: items },
            "additionalProperties": false,
        })
    });
    json!({
        "anyOf": [
            { "type": "string", "pattern": format!("^($|[^#])|{}", matcher()) },
            { "type": ["number", "boolean"] },
            { "type": "array", "items": itself },
            {
                "type": "object",
                "propertyNames": { "pattern": "^($|[^#]|##)" },
                "additionalProperties": itself,
            },
            { "anyOf": of_arrays.collect::<Vec<_>>() },
        ],
    })
}

/// How often something breaks under a load, or a table about it.
fn under() -> Value {
    let count = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    json!({ "anyOf": [count, table(keys::UNDER)] })
}

fn error() -> Value {
    let kind = json!({
        "anyOf": [{ "enum": verbs::ERROR_KINDS }, { "type": "string", "pattern": matcher() }],
    });
    let mut about = table(keys::ERROR);
    about["properties"]["kind"] = kind.clone();
    json!({ "anyOf": [kind, about] })
}

/// A step with one verb, or a check with one word, and what goes with it.
///
/// All keys stand in one list, for completion and so that a slip is marked where it is; which of
/// them go together is said beside it.
fn one_of(keys: &[Key], words: Vec<(&'static str, Vec<&'static str>)>) -> Value {
    let mut schema = table(keys);
    for word in ["expect_message", "expect_messages"] {
        if let Some(message) = schema["properties"].get_mut(word) {
            message["required"] = json!(["subject"]);
        }
    }
    let goes_with = |(word, takes): &(&str, Vec<&str>)| {
        let keys = [&[*word], &takes[..]].concat();
        let mut then = json!({ "propertyNames": { "enum": keys } });
        if *word == "schema" {
            then["required"] = json!(["subject"]);
        }
        json!({ "if": said(word), "then": then })
    };
    schema["oneOf"] = words.iter().map(|(word, _)| said(word)).collect();
    schema["allOf"] = words.iter().map(goes_with).collect();
    schema
}

/// That a word is said; the stream of a consumer is none by itself.
fn said(word: &str) -> Value {
    match word {
        "stream" => json!({ "required": [word], "not": { "required": ["consumer"] } }),
        _ => json!({ "required": [word] }),
    }
}

#[cfg(test)]
mod agreement;
