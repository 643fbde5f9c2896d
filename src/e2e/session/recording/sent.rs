//! A message as a step sends it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toml_edit::{Array, InlineTable, Table, Value, value};

use super::heard::Heard;
use super::known::Known;
use crate::e2e::text::data::Data;
use crate::e2e::text::template;
use crate::e2e::text::volatile::is_id;
use crate::wire::headers::{EXPECTED_LAST_SUBJECT_SEQUENCE, REQUEST_INFO};

/// A longer body gets a file of its own, where there can be one.
pub(super) const LONGEST: usize = 16 << 10;

/// What a scenario has beside it: a file's name and content.
pub(super) type File = (String, Vec<u8>);

/// Writes body and headers into a step. A body that is long goes to the file of this name.
pub(super) fn message(
    heard: &Heard,
    known: &Known,
    number: usize,
    file: Option<String>,
    step: &mut Table,
) -> Option<File> {
    headers(heard, known, number, step);
    let body = &heard.content.body;
    if let Some(name) = file.filter(|_| heard.content.bytes > LONGEST) {
        step["body_file"] = value(&name);
        return Some((name, raw(body)));
    }
    match body {
        Data::Text(text) if text.is_empty() => {}
        // A text alone may be an id.
        Data::Text(whole) => text(whole, true, known, number, step),
        Data::Bytes(bytes) => step["bytes_base64"] = value(STANDARD.encode(bytes)),
        data => match data_to_toml("", data, known, number) {
            Some(data) => step["body"] = value(data),
            // TOML has no null, and its numbers are doubles.
            None => text(&data.to_string(), false, known, number, step),
        },
    }
    None
}

fn text(text: &str, is_id: bool, known: &Known, number: usize, step: &mut Table) {
    match is_taken_for_a_name(text) {
        true => step["bytes_base64"] = value(STANDARD.encode(text)),
        false => step["text"] = value(known.filled(text, is_id, number)),
    }
}

/// Whether a reader of fixtures would take it for a name that is written wrong, as `{{ name }}`.
pub(super) fn is_taken_for_a_name(text: &str) -> bool {
    !template::slips(text).is_empty()
}

/// The body's bytes: of JSON in its one form.
fn raw(body: &Data) -> Vec<u8> {
    match body {
        Data::Text(text) => text.as_bytes().to_vec(),
        Data::Bytes(bytes) => bytes.clone(),
        data => data.to_string().into_bytes(),
    }
}

fn headers(heard: &Heard, known: &Known, number: usize, step: &mut Table) {
    let filled = |text: &String| Value::from(known.filled(text, true, number));
    let headers: InlineTable = heard
        .content
        .headers
        .iter()
        .filter(|(name, values)| is_sent(name, values))
        .map(|(name, values)| match values.as_slice() {
            [one] => (name, filled(one)),
            several => (name, several.iter().map(filled).collect::<Array>().into()),
        })
        .collect();
    if !headers.is_empty() {
        step["headers"] = value(headers);
    }
}

/// Not what a server adds, nor what depends on what a stream had before.
fn is_sent(name: &str, values: &[String]) -> bool {
    let only_first = name == EXPECTED_LAST_SUBJECT_SEQUENCE && values == ["0"];
    let depends = name.starts_with("Nats-Expected-Last-") && !only_first;
    !name.starts_with(':') && name != REQUEST_INFO && !depends
}

/// `None` where TOML cannot say it.
fn data_to_toml(key: &str, data: &Data, known: &Known, number: usize) -> Option<Value> {
    Some(match data {
        Data::Null | Data::Text(_) | Data::Bytes(_) | Data::Matched(_) | Data::Unordered(_) => {
            return None;
        }
        Data::Bool(truth) => (*truth).into(),
        Data::Number(digits) => match known.name_of(digits, is_id(key), number) {
            Some(name) => name.into(),
            None => {
                let exact = data.exact()?;
                match exact.as_i64() {
                    Some(whole) => whole.into(),
                    None => exact.as_f64().filter(|_| !exact.is_u64())?.into(),
                }
            }
        },
        Data::String(text) if is_taken_for_a_name(text) => return None,
        Data::String(text) => known.filled(text, is_id(key) || key.is_empty(), number).into(),
        Data::Array(items) => {
            let items = items.iter().map(|item| data_to_toml(key, item, known, number));
            items.collect::<Option<Array>>()?.into()
        }
        Data::Object(fields) => {
            let mut table = InlineTable::new();
            for (name, value) in fields {
                if is_taken_for_a_name(name) {
                    return None;
                }
                let value = data_to_toml(name, value, known, number)?;
                // Of a key that is there twice TOML could keep one.
                if table.insert(template::escaped(name), value).is_some() {
                    return None;
                }
            }
            table.into()
        }
    })
}
