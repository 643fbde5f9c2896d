//! Data without loss: numbers keep all their digits, objects keep duplicate keys, and text that is
//! not JSON is distinguished from JSON.
//!
//! `serde_json::Value` has doubles and one value a key, and its `arbitrary_precision` would change
//! how every crate in this program reads numbers.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::number;

/// Deeper JSON is refused, as by serde_json.
const DEEPEST: usize = 128;

/// A value that was seen, or is to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// `null`.
    #[default]
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number in its one form, so that equal numbers are equal texts: see `number::normal`.
    Number(String),
    /// A string of JSON.
    String(String),
    /// Elements.
    Array(Vec<Data>),
    /// Keys in alphabetical order; one that is there twice, in the order of its values.
    Object(Vec<(String, Data)>),
    /// Text that is not JSON; nothing at all is the empty one.
    Text(String),
    /// What is not even text.
    Bytes(Vec<u8>),
    /// In a transcript: a value that this matcher has matched.
    Matched(String),
    /// In a transcript: the elements of an array whose order is not compared.
    Unordered(Vec<Data>),
}

impl Data {
    /// Reads a body in the most telling way: JSON, else text, else bytes.
    pub fn read(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::json(text).unwrap_or_else(|| Self::Text(text.to_owned())),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// Text, or bytes that are none.
    pub fn text(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }

    /// The whole text as JSON.
    pub fn json(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        of_raw(raw.get(), 0)
    }

    /// A string, of JSON or not.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// All values of a key; none, where it is no object.
    pub fn values<'a>(&'a self, key: &str) -> Vec<&'a Data> {
        let Self::Object(fields) = self else { return Vec::new() };
        fields.iter().filter(|(name, _)| name == key).map(|(_, value)| value).collect()
    }

    /// The value of a key, if there is one and no other.
    pub fn get(&self, key: &str) -> Option<&Data> {
        match *self.values(key) {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The value at a JSON pointer, if there is exactly one.
    pub fn pointer(&self, pointer: &str) -> Option<&Data> {
        steps(pointer).try_fold(self, |at, step| match at {
            Self::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => at.get(&step),
        })
    }

    /// Removes the value at a JSON pointer; the empty pointer is the whole value.
    pub fn remove(&mut self, pointer: &str) {
        let steps: Vec<String> = steps(pointer).collect();
        match steps.split_last() {
            None => *self = Self::Null,
            Some((last, way)) => self.remove_at(way, last),
        }
    }

    fn remove_at(&mut self, way: &[String], last: &str) {
        let Some((step, way)) = way.split_first() else {
            match self {
                Self::Array(items) => {
                    if let Some(at) = last.parse().ok().filter(|at| *at < items.len()) {
                        items.remove(at);
                    }
                }
                Self::Object(fields) => fields.retain(|(name, _)| name != last),
                _ => {}
            }
            return;
        };
        match self {
            Self::Array(items) => {
                let item = step.parse::<usize>().ok().and_then(|at| items.get_mut(at));
                if let Some(item) = item {
                    item.remove_at(way, last);
                }
            }
            Self::Object(fields) => {
                let inner = fields.iter_mut().filter(|(name, _)| name == step);
                inner.for_each(|(_, value)| value.remove_at(way, last));
            }
            _ => {}
        }
    }

    /// As a value of serde_json: the nearest double, the last of a key's values, base64 of bytes.
    pub fn nearest(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Number(digits) => serde_json::from_str(digits).unwrap_or_default(),
            Self::String(text) | Self::Text(text) | Self::Matched(text) => text.as_str().into(),
            Self::Bytes(bytes) => base64(bytes).into(),
            Self::Array(items) | Self::Unordered(items) => {
                items.iter().map(Self::nearest).collect()
            }
            Self::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), value.nearest()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// As [`Self::nearest`], if that loses no digit and no value of a duplicate key.
    pub fn exact(&self) -> Option<Value> {
        let nearest = self.nearest();
        let same = match self {
            Self::Text(_) | Self::Bytes(_) => true,
            data => Self::from(&nearest) == *data,
        };
        same.then_some(nearest)
    }

    /// Whether [`Self::nearest`] is a different value: a number has more than the 17 digits of a
    /// double, or a key is there twice.
    pub fn is_more(&self) -> bool {
        match self {
            Self::Number(digits) => {
                let mantissa = digits.split('e').next().unwrap_or_default();
                let counted = mantissa.trim_start_matches(['-', '0', '.']);
                counted.bytes().filter(u8::is_ascii_digit).count() > 17 && self.exact().is_none()
            }
            Self::Array(items) => items.iter().any(Self::is_more),
            Self::Object(fields) => {
                fields.windows(2).any(|two| two[0].0 == two[1].0)
                    || fields.iter().any(|(_, value)| value.is_more())
            }
            _ => false,
        }
    }

    /// With every text in it, keys included, as `told` has it.
    pub fn told_by(self, told: &impl Fn(String) -> String) -> Self {
        match self {
            Self::String(text) => Self::String(told(text)),
            Self::Text(text) => Self::Text(told(text)),
            // Byte by byte: what is to be told otherwise is ASCII.
            Self::Bytes(bytes) => {
                let text = told(bytes.iter().map(|byte| char::from(*byte)).collect());
                Self::Bytes(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect())
            }
            Self::Array(items) => items.into_iter().map(|item| item.told_by(told)).collect(),
            Self::Object(fields) => Self::Object(
                fields.into_iter().map(|(key, of)| (told(key), of.told_by(told))).collect(),
            ),
            other => other,
        }
    }

    /// As golden text has it: a text or key that begins with `#` begins with two.
    pub fn notation(&self) -> Self {
        let escaped = |text: &String| match text.starts_with('#') {
            true => format!("#{text}"),
            false => text.clone(),
        };
        match self {
            Self::String(text) => Self::String(escaped(text)),
            Self::Array(items) => items.iter().map(Self::notation).collect(),
            Self::Unordered(items) => Self::Unordered(items.iter().map(Self::notation).collect()),
            Self::Object(fields) => Self::Object(
                fields.iter().map(|(key, value)| (escaped(key), value.notation())).collect(),
            ),
            other => other.clone(),
        }
    }

    /// One line of JSON, or several lines where `indent` says how far they are moved in. What is no
    /// JSON says what it is.
    fn write(&self, out: &mut String, indent: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(truth) => drop(write!(out, "{truth}")),
            Self::Number(digits) => out.push_str(digits),
            Self::String(text) | Self::Matched(text) => out.push_str(&quoted(text)),
            Self::Text(text) if text.is_empty() => out.push_str("(empty)"),
            Self::Text(text) => drop(write!(out, "text {}", quoted(text))),
            Self::Bytes(bytes) => drop(write!(out, "base64 {}", base64(bytes))),
            Self::Array(items) => {
                list(out, indent, ['[', ']'], items, |out, item, indent| item.write(out, indent));
            }
            Self::Object(fields) => {
                list(out, indent, ['{', '}'], fields, |out, (key, value), indent| {
                    out.push_str(&quoted(key));
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    value.write(out, indent);
                });
            }
            Self::Unordered(items) => {
                let whole = [("#unordered".to_owned(), Self::Array(items.clone()))];
                Self::Object(whole.into()).write(out, indent);
            }
        }
    }

    /// As [`fmt::Display`], on several lines.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }
}

/// On one line.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out, None);
        f.write_str(&out)
    }
}

impl From<&Value> for Data {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(digits) => Self::Number(number::normal(&digits.to_string())),
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => items.iter().map(Self::from).collect(),
            // The map is a BTreeMap: its keys are sorted.
            Value::Object(fields) => Self::Object(
                fields.iter().map(|(key, value)| (key.clone(), value.into())).collect(),
            ),
        }
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl FromIterator<Data> for Data {
    fn from_iter<T: IntoIterator<Item = Data>>(items: T) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

pub(in crate::e2e::text) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The steps of a JSON pointer (RFC 6901).
fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

fn list<T>(
    out: &mut String,
    indent: Option<usize>,
    [open, close]: [char; 2],
    items: &[T],
    write: impl Fn(&mut String, &T, Option<usize>),
) {
    let line = |out: &mut String, depth: usize| out.push_str(&format!("\n{:1$}", "", 2 * depth));
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if let Some(depth) = indent {
            line(out, depth + 1);
        }
        write(out, item, indent.map(|depth| depth + 1));
    }
    if let Some(depth) = indent.filter(|_| !items.is_empty()) {
        line(out, depth);
    }
    out.push(close);
}

/// What is raw is JSON as far as its grammar goes; `None` where it is too deep, or where a string of
/// it is no text.
fn of_raw(raw: &str, depth: usize) -> Option<Data> {
    if depth >= DEEPEST {
        return None;
    }
    Some(match raw.as_bytes().first()? {
        b'{' => {
            let Fields(raw) = serde_json::from_str(raw).ok()?;
            let fields = raw.into_iter().map(|(key, raw)| Some((key, of_raw(raw, depth + 1)?)));
            let mut fields = fields.collect::<Option<Vec<_>>>()?;
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Data::Object(fields)
        }
        b'[' => {
            let raw: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            raw.into_iter().map(|raw| of_raw(raw.get(), depth + 1)).collect::<Option<Data>>()?
        }
        b'"' => Data::String(serde_json::from_str(raw).ok()?),
        b't' => Data::Bool(true),
        b'f' => Data::Bool(false),
        b'n' => Data::Null,
        _ => Data::Number(number::normal(raw)),
    })
}

/// An object with all its keys.
struct Fields<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push((key, raw.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests;
