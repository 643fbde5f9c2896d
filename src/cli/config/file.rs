//! The text of the file to values, or every mistake in it with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{CONNECTION, Form, SECRET, SUITES, TABLES};
use super::secrets::{has_login, without_secrets};
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::e2e::scenario::{FixtureError, Problem, Source, Span, nearest};

/// What to do about a secret.
const USE_A_CONTEXT: &str = "the file is for everybody: put it into a NATS context (`nats context add`), \
                             and name that with --context or NATS_CONTEXT";

/// What a file says.
#[derive(Debug)]
pub struct File {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// By table and key.
    pub values: BTreeMap<&'static str, BTreeMap<&'static str, Value>>,
}

/// A value of a key.
#[derive(Debug)]
pub struct Value {
    /// As words of a command line.
    pub words: Vec<String>,
    pub form: Form,
    span: Span,
}

impl File {
    /// Reads it; `shape` is the command line, whose flags say what their values may be.
    ///
    /// # Errors
    /// All its mistakes.
    pub fn read(
        path: PathBuf,
        shown: &Path,
        text: &str,
        shape: &clap::Command,
        context: &Context,
    ) -> Result<Self, CliError> {
        // A mistake is shown with its line, whoever reads that.
        let source = Source::new(&shown.display().to_string(), &without_secrets(text));
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut reading = Reading { folder: &folder, shape, context, problems: Vec::new() };
        let values = match DeTable::parse(text) {
            Ok(table) => reading.whole(table.get_ref()),
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join("; ");
                reading.problem(error.span().unwrap_or(0..0), message, None);
                BTreeMap::new()
            }
        };
        let mut problems = reading.problems;
        if problems.is_empty() {
            return Ok(Self { path, values });
        }
        problems.sort_by_key(|problem| problem.span.start);
        Err(CliError::usage(FixtureError { source, problems }))
    }
}

type Values = BTreeMap<&'static str, Value>;

struct Reading<'a> {
    folder: &'a Path,
    shape: &'a clap::Command,
    context: &'a Context,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem { span, message: message.into(), help });
    }

    fn whole(&mut self, table: &DeTable<'_>) -> BTreeMap<&'static str, Values> {
        let mut values = BTreeMap::from([("", self.table("", table))]);
        for (name, _) in &TABLES[1..] {
            match table.get(*name).map(|item| (item.span(), item.get_ref())) {
                Some((_, DeValue::Table(inner))) => {
                    values.insert(name, self.table(name, inner));
                }
                Some((span, _)) => {
                    self.problem(span, format!("`{name}` is a table: [{name}]"), None);
                }
                None => {}
            }
        }
        // Those of all commands are read with each table, and alone where there is none.
        let names = TABLES.map(|(name, _)| name);
        let of_commands = names.into_iter().filter(|name| !name.is_empty());
        let mut present: Vec<&str> = of_commands.filter(|it| values.contains_key(it)).collect();
        if present.is_empty() {
            present.push("");
        }
        for name in present {
            self.check(name, &values);
        }
        values
    }

    /// The values of a table; every key is one of its own.
    fn table(&mut self, name: &'static str, table: &DeTable<'_>) -> Values {
        let known = TABLES.iter().find(|(it, _)| *it == name).map_or(&[][..], |(_, keys)| keys);
        let mut values = Values::new();
        for (key, item) in table {
            let is_table = name.is_empty() && TABLES.iter().any(|(it, _)| it == key.get_ref());
            match known.iter().find(|(known, _)| known == key.get_ref()) {
                Some((known, form)) => {
                    if let Some(value) = self.value(known, *form, item) {
                        values.insert(known, value);
                    }
                }
                None if is_table => {}
                None => self.unknown(name, key.get_ref(), key.span()),
            }
        }
        values
    }

    /// A key that does not belong there, and what was meant.
    fn unknown(&mut self, table: &str, key: &str, span: Span) {
        let of = if table.is_empty() { String::new() } else { format!("[{table}] ") };
        if SECRET.contains(&key) {
            return self.problem(
                span,
                format!("{of}`{key}`: no secret belongs into this file"),
                Some(USE_A_CONTEXT.into()),
            );
        }
        if CONNECTION.contains(&key) {
            return self.problem(
                span,
                format!("{of}`{key}`: how to connect is no matter of a repository"),
                Some(
                    "put it into a NATS context, and name that with --context or NATS_CONTEXT"
                        .into(),
                ),
            );
        }
        let elsewhere: Vec<&str> = TABLES
            .iter()
            .filter(|(name, keys)| *name != table && keys.iter().any(|(it, _)| *it == key))
            .map(|(name, _)| *name)
            .collect();
        if let Some(first) = elsewhere.first() {
            let message = format!("{of}`{key}` does not belong here");
            let help = match *first {
                "" => "it is for all commands: put it before the first table".to_owned(),
                first => format!("put it into the table [{first}]"),
            };
            return self.problem(span, message, Some(help));
        }
        let keys = TABLES.iter().find(|(it, _)| *it == table).map_or(&[][..], |(_, keys)| keys);
        let tables = TABLES[1..].iter().map(|(name, _)| *name).filter(|_| table.is_empty());
        let known: Vec<&str> = keys.iter().map(|(name, _)| *name).chain(tables).collect();
        let is_flag = self.flag(table, key).is_some();
        let help = match nearest(&key.replace('_', "-"), known.iter().copied()) {
            _ if is_flag => format!("give --{key} on the command line, where it is wanted"),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        let message = match is_flag {
            true => format!("{of}`{key}` is wanted once, and has no default in a file"),
            false => format!("{of}there is no key `{key}`"),
        };
        self.problem(span, message, Some(help));
    }

    fn flag(&self, table: &str, long: &str) -> Option<&clap::Arg> {
        let inner = self.shape.find_subcommand(table).filter(|_| !table.is_empty());
        let all = self
            .shape
            .get_arguments()
            .chain(inner.into_iter().flat_map(clap::Command::get_arguments));
        all.filter(|arg| !arg.is_hide_set()).find(|arg| arg.get_long() == Some(long))
    }

    /// A value of this form.
    fn value(
        &mut self,
        key: &'static str,
        form: Form,
        item: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        let span = item.span();
        let Some(words) = words(form, item.get_ref()) else {
            self.problem(span, format!("`{key}` is {}", form.told()), None);
            return None;
        };
        if words.iter().any(|word| has_login(word)) {
            let message = format!("`{key}` has a login in a URL: no secret belongs into this file");
            self.problem(span, message, Some(USE_A_CONTEXT.into()));
            return None;
        }
        // A list of nothing would be the same as no list, and looks like another wish.
        if words.is_empty() {
            self.problem(span, format!("`{key}` has nothing in it: leave it out"), None);
            return None;
        }
        let words = words.into_iter().map(|word| self.beside_the_file(form, word)).collect();
        Some(Value { words, form, span })
    }

    /// Paths are from the folder of the file.
    fn beside_the_file(&self, form: Form, word: String) -> String {
        let absolute = |path: &str| {
            let path = self.folder.join(self.context.expanded(path.as_ref()));
            let plain: PathBuf = path.components().collect();
            plain.display().to_string()
        };
        match (form, word.split_once('=')) {
            (Form::Path | Form::Suites, _) => absolute(&word),
            (Form::Reports, Some((kind, path))) if !path.is_empty() => {
                format!("{kind}={}", absolute(path))
            }
            _ => word,
        }
    }

    /// Each value is one that its flag accepts, and what a command is given goes together.
    fn check(&mut self, name: &str, values: &BTreeMap<&'static str, Values>) {
        let tables = if name.is_empty() { vec![""] } else { vec!["", name] };
        let all = tables.into_iter().filter_map(|table| values.get(table)).flatten();
        let all: Vec<(&'static str, &Value)> = all.map(|(key, value)| (*key, value)).collect();
        let Err(together) = self.parsed(name, &arguments(all.iter().copied())) else { return };
        // Which it is, each alone says.
        for (key, value) in &all {
            let is_told = self.problems.iter().any(|problem| problem.span == value.span);
            if let Err(error) = self.parsed(name, &arguments([(*key, *value)].into_iter()))
                // What else has to be there is seen when all is there.
                && !matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::ArgumentConflict
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                )
                // One for all commands is read with each table.
                && !is_told
            {
                let (message, help) = told(&error);
                self.problem(value.span.clone(), message, help);
            }
        }
        if self.problems.is_empty() {
            let (message, help) = told(&together);
            let of = all.iter().rev().find(|(key, _)| message.contains(&format!("--{key}")));
            let span = of.or(all.last()).map_or(0..0, |(_, value)| value.span.clone());
            self.problem(span, format!("[{name}] {message}"), help);
        }
    }

    fn parsed(&self, table: &str, arguments: &[String]) -> Result<(), clap::Error> {
        let command = if table.is_empty() { "version" } else { table };
        let words = ["mono-demo", command].into_iter().map(str::to_owned);
        let words = words.chain(arguments.iter().cloned());
        self.shape.clone().try_get_matches_from(words).map(drop)
    }
}

/// Words of a command line that say the same.
fn arguments<'a>(values: impl Iterator<Item = (&'static str, &'a Value)>) -> Vec<String> {
    let mut flags = Vec::new();
    let mut paths = Vec::new();
    for (key, value) in values {
        match value.form {
            _ if key == SUITES => paths.extend(value.words.iter().cloned()),
            Form::Truth if value.words == ["true"] => flags.push(format!("--{key}")),
            Form::Truth => {}
            _ => flags.extend(value.words.iter().map(|word| format!("--{key}={word}"))),
        }
    }
    flags.push("--".to_owned());
    if paths.is_empty() {
        flags.pop();
    }
    flags.extend(paths);
    flags
}

/// The words of a value that has this form.
fn words(form: Form, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (form, value) {
        (Form::Truth, DeValue::Boolean(truth)) => Some(vec![truth.to_string()]),
        (Form::Whole, DeValue::Integer(number)) => {
            let read = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(vec![read.to_string()])
        }
        (Form::Truth | Form::Whole, _) => None,
        (_, DeValue::String(text)) => Some(vec![text.to_string()]),
        (Form::Texts | Form::Suites | Form::Reports, DeValue::Array(items)) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// What the parser of the command line says of a value, without what is about the command line.
fn told(error: &clap::Error) -> (String, Option<String>) {
    let text = error.to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let rest: Vec<&str> = lines.filter(|line| !line.starts_with("For more information")).collect();
    match (first.strip_suffix(':'), rest.is_empty()) {
        (Some(first), false) => (format!("{first}: {}", rest.join(", ")), None),
        (_, true) => (first.to_owned(), None),
        (None, false) => (first.to_owned(), Some(rest.join("; "))),
    }
}
