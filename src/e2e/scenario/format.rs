//! One form for all fixtures: keys in the order of the tables in [`keys`], one blank line between
//! tables, spaces where everybody else has them. Comments stay with what they are about, and what
//! a fixture says is never touched.

use toml_edit::{DocumentMut, InlineTable, Item, Key as TomlKey, RawString, Table, Value};

use super::form::{Form, Key};
use super::keys::CheckWord;
use crate::e2e::scenario::{keys, stored_keys};
use crate::e2e::text::error::{FixtureError, Problem};
use crate::e2e::text::source::Source;

/// So far elements of an array on lines of their own are moved in.
const INDENT: &str = "    ";
/// The name of a row comes first, the rest as it is written.
const ROW: &[Key] = &[Key { word: "name", form: Form::Text, about: "" }];

/// The text in its one form; with the checks that oracles add.
///
/// # Errors
/// [`FixtureError`] where it is no TOML; whether it makes sense is not asked.
pub fn format(source: &Source, added: &[CheckWord]) -> Result<String, FixtureError> {
    let refuse = |span, message: String| FixtureError {
        source: source.clone(),
        problems: vec![Problem { span, message, help: None }],
    };
    let document: DocumentMut = source.text.parse().map_err(|error: toml_edit::TomlError| {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        refuse(error.span().unwrap_or(0..0), message)
    })?;
    let text = written(&document, added);
    let same = |text: &str| text.parse::<toml::Table>().ok();
    if same(&text) != same(&source.text) {
        // Better left alone than wrong; dates and such have no business in a fixture.
        return Err(refuse(0..0, "this file cannot be formatted without changing it".to_owned()));
    }
    Ok(text)
}

/// A header with what stands below it; the first has none.
struct Section<'d> {
    position: isize,
    path: Vec<String>,
    header: String,
    /// The lines above.
    above: Vec<String>,
    /// The comment beside the header.
    beside: String,
    entries: Vec<Entry<'d>>,
}

/// A key and its value.
struct Entry<'d> {
    above: Vec<String>,
    path: Vec<&'d TomlKey>,
    value: &'d Value,
}

fn written(document: &DocumentMut, added: &[CheckWord]) -> String {
    let mut sections = Vec::new();
    sections_of(document.as_table(), &mut Vec::new(), None, &mut sections);
    sections.sort_by_key(|section| (!section.path.is_empty(), section.position));
    let head = take_head(&mut sections);
    let rank_of = |section: &Section<'_>| section.path.first().map(|word| rank(keys::TOP, word));
    sections.sort_by_key(rank_of);
    let mut out = Lines::default();
    out.all(&head);
    for section in &mut sections {
        let keys = &keys_of(&section.path, added);
        section.entries.sort_by_key(|entry| rank(keys, entry.path[0].get()));
        if !section.header.is_empty() {
            out.blank();
            out.all(trimmed(&section.above));
            out.line(format!("{}{}", section.header, section.beside));
        }
        for (at, entry) in section.entries.iter().enumerate() {
            let first = at == 0 && (out.0.is_empty() || !section.header.is_empty());
            out.all(if first { trimmed(&entry.above) } else { &entry.above });
            let form = keys.iter().find(|key| key.word == entry.path[0].get()).map(|key| key.form);
            let value = value(entry.value, "", form.filter(|_| entry.path.len() == 1));
            let beside = beside(raw(entry.value.decor().suffix()));
            out.line(format!("{} = {value}{beside}", path(&entry.path)));
        }
    }
    out.all(&comments(document.trailing().as_str().unwrap_or_default()));
    out.text()
}

/// Lines with no blank one at the beginning or the end, and never two.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn line(&mut self, line: String) {
        let after_a_line = self.0.last().is_some_and(|last| !last.is_empty());
        if !line.is_empty() || after_a_line {
            self.0.push(line);
        }
    }

    fn blank(&mut self) {
        self.line(String::new());
    }

    fn all(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.line(line.clone()));
    }

    fn text(mut self) -> String {
        while self.0.last().is_some_and(String::is_empty) {
            self.0.pop();
        }
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Without blank lines at the beginning.
fn trimmed(lines: &[String]) -> &[String] {
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    &lines[blank..]
}

fn raw(text: Option<&RawString>) -> &str {
    text.and_then(RawString::as_str).unwrap_or_default()
}

/// The comments and the blank lines of a text that has nothing else.
fn comments(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split('\n').map(|line| line.trim().to_owned()).collect();
    // What follows the last line feed is only what the next thing is moved in by.
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// A comment on the same line, as far away as it was.
fn beside(suffix: &str) -> String {
    let comment = suffix.trim();
    if comment.is_empty() {
        return String::new();
    }
    let spaces = suffix.len() - suffix.trim_start_matches(' ').len();
    format!("{}{comment}", " ".repeat(spaces.max(1)))
}

fn path(keys: &[&TomlKey]) -> String {
    keys.iter().map(|key| key.display_repr().into_owned()).collect::<Vec<_>>().join(".")
}

fn rank(keys: &[Key], word: &str) -> usize {
    keys.iter().position(|key| key.word == word).unwrap_or(usize::MAX)
}

/// The keys that a section may have, in order.
fn keys_of(path: &[String], added: &[CheckWord]) -> Vec<Key> {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => keys::TOP.to_vec(),
        ["setup" | "step" | "teardown"] => keys::STEP.to_vec(),
        ["check"] => keys::of_checks(added),
        ["row"] => ROW.to_vec(),
        ["promise", _] => keys::PROMISE.to_vec(),
        ["streams", _] => stored_keys::STREAM.to_vec(),
        ["streams", _, "consumers", _] => stored_keys::CONSUMER.to_vec(),
        ["kv", _] => stored_keys::KV.to_vec(),
        ["objects", _] => stored_keys::OBJECTS.to_vec(),
        [word] => {
            inner(keys::TOP.iter().find(|key| key.word == *word).map(|key| key.form)).to_vec()
        }
        _ => Vec::new(),
    }
}

/// The keys that a value of this form may have.
fn inner(form: Option<Form>) -> &'static [Key] {
    match form {
        Some(Form::Table(keys) | Form::Tables(keys) | Form::OneOrTables(keys)) => keys,
        Some(Form::Error) => keys::ERROR,
        _ => &[],
    }
}

fn sections_of<'d>(
    table: &'d Table,
    keys: &mut Vec<&'d TomlKey>,
    array: Option<bool>,
    out: &mut Vec<Section<'d>>,
) {
    let entries: Vec<Entry<'d>> = table
        .get_values()
        .into_iter()
        .map(|(path, value)| Entry {
            above: path
                .last()
                .map(|key| comments(raw(key.leaf_decor().prefix())))
                .unwrap_or_default(),
            path,
            value,
        })
        .collect();
    let shown = !(table.is_implicit() && entries.is_empty());
    if !table.is_dotted() && shown {
        let name = path(keys);
        out.push(Section {
            position: table.position().unwrap_or_default(),
            path: keys.iter().map(|key| key.get().to_owned()).collect(),
            header: match array {
                None => String::new(),
                Some(false) => format!("[{name}]"),
                Some(true) => format!("[[{name}]]"),
            },
            above: comments(raw(table.decor().prefix())),
            beside: beside(raw(table.decor().suffix())),
            entries,
        });
    }
    for (word, item) in table.iter() {
        let Some(key) = table.key(word) else { continue };
        keys.push(key);
        match item {
            Item::Table(inner) => sections_of(inner, keys, Some(false), out),
            Item::ArrayOfTables(tables) => {
                tables.iter().for_each(|inner| sections_of(inner, keys, Some(true), out));
            }
            _ => {}
        }
        keys.pop();
    }
}

/// What stands above everything else and is not about what it stands above: the first lines up to
/// the last blank one, and directives as `#:schema`.
fn take_head(sections: &mut [Section<'_>]) -> Vec<String> {
    let above = sections.iter_mut().find_map(|section| match section.entries.first_mut() {
        _ if !section.header.is_empty() => Some(&mut section.above),
        Some(entry) => Some(&mut entry.above),
        None => None,
    });
    let Some(above) = above else { return Vec::new() };
    let lines = trimmed(above).to_vec();
    let directives = lines.iter().take_while(|line| line.starts_with("#:")).count();
    let end = lines.iter().rposition(String::is_empty).map_or(directives, |at| at + 1);
    let (head, rest) = lines.split_at(end);
    *above = rest.to_vec();
    head.to_vec()
}

/// A value, moved in by `indent` where it has lines of its own.
fn value(of: &Value, indent: &str, form: Option<Form>) -> String {
    match of {
        Value::String(text) => text.display_repr().into_owned(),
        Value::Integer(number) => number.display_repr().into_owned(),
        Value::Float(number) => number.display_repr().into_owned(),
        Value::Boolean(truth) => truth.display_repr().into_owned(),
        Value::Datetime(time) => time.display_repr().into_owned(),
        Value::Array(array) => {
            let inner_indent = format!("{indent}{INDENT}");
            let elements = array.iter().map(|element| Element {
                before: raw(element.decor().prefix()).to_owned(),
                after: raw(element.decor().suffix()).to_owned(),
                alone: value(element, indent, form),
                below: value(element, &inner_indent, form),
            });
            let trailing = array.trailing().as_str().unwrap_or_default();
            listed(("[", "]"), &elements.collect::<Vec<_>>(), trailing, indent)
        }
        Value::InlineTable(table) => inline(table, indent, form),
    }
}

fn inline(table: &InlineTable, indent: &str, form: Option<Form>) -> String {
    let keys = inner(form);
    let inner_indent = format!("{indent}{INDENT}");
    let mut entries = table.get_values();
    // A comment on a line of its own is about what follows: nothing is moved around it.
    if !table.to_string().contains('\n') {
        entries.sort_by_key(|(path, _)| rank(keys, path[0].get()));
    }
    let elements = entries.into_iter().map(|(keys, of)| {
        let key = path(&keys);
        Element {
            before: [
                keys.last().map(|key| raw(key.leaf_decor().prefix())),
                keys.last().map(|key| raw(key.leaf_decor().suffix())),
                // A comment between a key and its value goes above both.
                Some(raw(of.decor().prefix())),
            ]
            .into_iter()
            .flatten()
            .collect(),
            after: raw(of.decor().suffix()).to_owned(),
            alone: format!("{key} = {}", value(of, indent, None)),
            below: format!("{key} = {}", value(of, &inner_indent, None)),
        }
    });
    let trailing = table.trailing().as_str().unwrap_or_default();
    listed(("{", "}"), &elements.collect::<Vec<_>>(), trailing, indent)
}

/// What stands in brackets, with the comments around it.
struct Element {
    before: String,
    after: String,
    /// Where all are on one line.
    alone: String,
    /// On a line of its own.
    below: String,
}

/// On one line, or where any line is broken each on its own.
fn listed(
    (open, close): (&str, &str),
    elements: &[Element],
    trailing: &str,
    indent: &str,
) -> String {
    let broken = |text: &str| text.contains('\n');
    let lines = broken(trailing) || elements.iter().any(|e| broken(&e.before) || broken(&e.after));
    if !lines {
        let all: Vec<&str> = elements.iter().map(|element| element.alone.as_str()).collect();
        let all = all.join(", ");
        return match (open, all.is_empty()) {
            (_, true) => format!("{open}{close}"),
            ("{", false) => format!("{{ {all} }}"),
            _ => format!("{open}{all}{close}"),
        };
    }
    let mut out = open.to_owned();
    let mut between = elements.first().map_or(String::new(), |first| first.before.clone());
    for (at, element) in elements.iter().enumerate() {
        comment(&mut out, &between, indent);
        out.push_str(&format!("\n{indent}{INDENT}{},", element.below));
        let next = elements.get(at + 1).map_or("", |next| &next.before);
        between = format!("{}{next}", element.after);
    }
    comment(&mut out, &format!("{between}{trailing}"), indent);
    format!("{out}\n{indent}{close}")
}

/// The comments between two elements: one on the line that is there, the others below.
fn comment(out: &mut String, between: &str, indent: &str) {
    for (at, line) in between.split('\n').enumerate() {
        match (line.trim(), at) {
            ("", _) => {}
            (comment, 0) => out.push_str(&format!(" {comment}")),
            (comment, _) => out.push_str(&format!("\n{indent}{INDENT}{comment}")),
        }
    }
}
