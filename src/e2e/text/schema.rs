//! Validates messages with JSON Schemas: finds a schema by name or in a file of the suite, and
//! describes each violation with the path of the field.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jsonschema::{
    Retrieve, Uri, ValidationError, ValidationOptions, error::ValidationErrorKind as Kind,
};
use serde_json::{Value, json};

use crate::e2e::text::error::nearest;
use crate::e2e::text::inside;

/// So many breaches of one message are told.
const MOST_BREACHES: usize = 3;
/// So much of what the validator says of one is shown, characters.
const LONGEST_BREACH: usize = 200;
/// Where the named schemas are, for the validator.
const CONTRACT: &str = "contract:/messages.json";
/// Where the suite's files are, for the validator.
const SUITE: &str = "suite:/";

/// Where the schemas of a suite are; by default there are none.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    /// Nothing is read that is not below it.
    root: PathBuf,
    /// Schemas by name, below `$defs`.
    contract: Arc<Value>,
}

/// Why there is no such schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is no file, and nobody has named it.
    #[error("there is no schema `{word}`")]
    Unknown {
        /// As written.
        word: String,
        /// The nearest name.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// It is no path below the suite's folder.
    #[error("`{0}` is not a path below the suite's folder")]
    Path(String),
    /// It cannot be read, or is not JSON.
    #[error("{0}")]
    File(String),
    /// It is no schema, or refers to what is none.
    #[error("`{word}` is no JSON Schema: {reason}")]
    Bad {
        /// As written.
        word: String,
        /// In the words of whoever read it.
        reason: String,
    },
}

impl SchemaError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let file = "a file below the suite's folder, as \"schemas/order.json\" or \"schemas/all.json#/$defs/Order\"";
        match self {
            Self::Unknown { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { known, .. } if known.is_empty() => Some(format!("name {file}")),
            Self::Unknown { known, .. } => {
                Some(format!("messages are {}; or name {file}", known.join(", ")))
            }
            Self::Path(_) => Some(format!("name {file}")),
            Self::File(_) | Self::Bad { .. } => None,
        }
    }
}

impl Schemas {
    /// Of the suite in this folder; `contract` has schemas by name below `$defs`, and is null where
    /// there are none.
    pub fn new(root: &Path, contract: Value) -> Self {
        Self { root: root.to_owned(), contract: Arc::new(contract) }
    }

    /// The schema that a fixture calls so: a message by its name, as `Order`, or a file with
    /// or without a JSON pointer, as `schemas/order.json#/$defs/Order`.
    ///
    /// # Errors
    /// [`SchemaError`] where there is none, or none that makes sense.
    pub fn find(&self, word: &str) -> Result<Schema, SchemaError> {
        let bad = |reason: String| SchemaError::Bad { word: word.to_owned(), reason };
        let build = |options: ValidationOptions<'_>, schema: &Value| {
            let built = options.with_retriever(self.clone()).build(schema);
            built.map_err(|error| bad(tell(&error)))
        };
        let (path, pointer) = word.split_once('#').unwrap_or((word, ""));
        let validator = if path.ends_with(".json") {
            self.check_path(word, path)?;
            let whole = self.file(path).map_err(SchemaError::File)?;
            let uri = format!("{SUITE}{path}");
            let validator = build(jsonschema::options().with_base_uri(&*uri), &whole)?;
            match pointer {
                "" => validator,
                _ => build(jsonschema::options(), &json!({ "$ref": format!("{uri}#{pointer}") }))?,
            }
        } else {
            self.check_name(word)?;
            let uri = format!("{CONTRACT}#/$defs/{word}");
            build(jsonschema::options(), &json!({ "$ref": uri }))?
        };
        Ok(Schema { name: word.into(), validator: Arc::new(validator) })
    }

    fn check_name(&self, word: &str) -> Result<(), SchemaError> {
        let named = self.contract["$defs"].as_object();
        let known: Vec<String> = named.into_iter().flatten().map(|(key, _)| key.clone()).collect();
        if known.iter().any(|name| name == word) {
            return Ok(());
        }
        let near = nearest(word, known.iter().map(String::as_str)).map(str::to_owned);
        Err(SchemaError::Unknown { word: word.to_owned(), near, known })
    }

    fn check_path(&self, word: &str, path: &str) -> Result<(), SchemaError> {
        // What is plain in a URI, so that a reference to it is the same path.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
        match inside::stays_below(path) && path.bytes().all(plain) {
            true => Ok(()),
            false => Err(SchemaError::Path(word.to_owned())),
        }
    }

    /// A file of the suite.
    fn file(&self, path: &str) -> Result<Value, String> {
        let text = inside::read_text(&self.root, &self.root.join(path))
            .map_err(|error| format!("cannot read {path} below the suite's folder: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{path} is not JSON: {error}"))
    }
}

/// Resolves references of a schema: to other files of the suite, never over the network.
impl Retrieve for Schemas {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let uri = uri.as_str().split('#').next().unwrap_or_default();
        if uri == CONTRACT {
            return Ok(Value::clone(&self.contract));
        }
        let Some(path) = uri.strip_prefix(SUITE) else {
            return Err(format!("{uri} is no file of the suite, and nothing is fetched").into());
        };
        Ok(self.file(path)?)
    }
}

/// A schema, ready to validate messages.
#[derive(Clone)]
pub struct Schema {
    /// As the fixture calls it.
    name: Arc<str>,
    validator: Arc<jsonschema::Validator>,
}

impl Schema {
    /// As the fixture calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a body breaks, with the path of each field; `None` where it breaks nothing.
    pub fn breach(&self, body: &[u8]) -> Option<String> {
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(_) if body.is_empty() => return Some("it is empty".to_owned()),
            Err(error) => return Some(format!("it is not JSON: {error}")),
        };
        let told: Vec<String> = self
            .validator
            .iter_errors(&value)
            .take(MOST_BREACHES)
            .map(|error| tell(&error))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// `/items/0/amount: "9" is not of type "number"`.
fn tell(error: &ValidationError<'_>) -> String {
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind()
        && let Some(inner) = meant(context)
    {
        return tell(inner);
    }
    let path = error.instance_path().as_str();
    let said: String = error.to_string().chars().take(LONGEST_BREACH).collect();
    match path {
        "" => said,
        path => format!("{path}: {said}"),
    }
}

/// What is broken of the branch that was most likely meant: the one that is broken deepest inside, or
/// whose type is right. `None` where none of them is nearer than the others.
fn meant<'a>(
    branches: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a ValidationError<'static>> {
    let worst =
        branches.iter().filter_map(|errors| errors.iter().max_by_key(|error| nearness(error)));
    let best = worst.max_by_key(|error| nearness(error))?;
    let as_near =
        branches.iter().filter(|errors| errors.iter().map(nearness).max() == Some(nearness(best)));
    (as_near.count() == 1).then_some(best)
}

fn nearness(error: &ValidationError<'_>) -> (usize, bool) {
    let depth = error.instance_path().as_str().matches('/').count();
    (depth, !matches!(error.kind(), Kind::Type { .. }))
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.name)
    }
}

/// One suite has one schema of a name.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> (tempfile::TempDir, Schemas) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("schemas")).unwrap();
        let write = |name: &str, text: Value| {
            std::fs::write(folder.path().join(name), text.to_string()).unwrap();
        };
        write(
            "schemas/order.json",
            json!({
                "type": "object",
                "required": ["id", "lines"],
                "properties": {
                    "id": { "type": "string" },
                    "lines": { "type": "array", "items": { "$ref": "parts.json#/$defs/Line" } },
                },
            }),
        );
        write(
            "schemas/parts.json",
            json!({ "$defs": { "Line": {
                "required": ["qty"],
                "properties": { "qty": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] } },
            } } }),
        );
        write("schemas/broken.json", json!({ "type": "objekt" }));
        write("schemas/away.json", json!({ "$ref": "https://example.com/x.json" }));
        write("schemas/out.json", json!({ "$ref": "../../secret.json" }));
        let contract = json!({ "$defs": { "Sum": { "type": "number" } } });
        let schemas = Schemas::new(folder.path(), contract);
        (folder, schemas)
    }

    #[test]
    fn a_breach_has_the_path_of_its_field() {
        let (_folder, schemas) = suite();
        let order = schemas.find("schemas/order.json").unwrap();
        assert_eq!(order.breach(br#"{"id": "o-1", "lines": [{"qty": 2}, {"qty": null}]}"#), None);
        let told = |body: &[u8]| order.breach(body).unwrap();
        assert_eq!(
            told(br#"{"id": 7, "lines": [{}]}"#),
            "/id: 7 is not of type \"string\"; /lines/0: \"qty\" is a required property"
        );
        assert_eq!(
            told(br#"{"id": "o", "lines": [{"qty": 0}]}"#),
            "/lines/0/qty: 0 is less than the minimum of 1"
        );
        let neither = told(br#"{"id": "o", "lines": [{"qty": "2"}]}"#);
        assert!(neither.starts_with("/lines/0/qty: \"2\" is not valid under any"), "{neither}");
        assert!(told(b"{").starts_with("it is not JSON: "));
        assert_eq!(told(b""), "it is empty");
        let line = schemas.find("schemas/parts.json#/$defs/Line").unwrap();
        assert_eq!(line.breach(b"{}").unwrap(), "\"qty\" is a required property");
        let sum = schemas.find("Sum").unwrap();
        assert_eq!((sum.breach(b"3"), sum.name()), (None, "Sum"));
        assert!(sum.breach(b"\"3\"").is_some());
    }

    #[test]
    fn what_is_no_schema_is_told() {
        let (_folder, schemas) = suite();
        let error = |word: &str| schemas.find(word).unwrap_err();
        assert_eq!(error("Sun").help().unwrap(), "did you mean `Sum`?");
        for outside in ["../x.json", "/etc/x.json", "schemas//order.json", "a\\b.json", ".json/."] {
            assert!(matches!(error(outside), SchemaError::Path(_) | SchemaError::Unknown { .. }));
        }
        for (word, reason) in [
            ("schemas/none.json", "cannot read schemas/none.json below"),
            ("schemas/broken.json", "objekt"),
            ("schemas/away.json", "nothing is fetched"),
            ("schemas/out.json", "secret.json"),
            ("schemas/order.json#/$defs/None", "None"),
        ] {
            let message = error(word).to_string();
            assert!(message.contains(reason), "{word}: {message}");
        }
    }
}
