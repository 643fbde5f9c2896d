//! The command line with the values of the file where nothing else says something: a flag wins over the
//! environment, that over the file, and that over what is built in.

use std::ffi::OsString;
use std::iter;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::file::{File, Value};
use super::keys::{BY_ENVIRONMENT, NOT_BESIDE, NOT_FOR, OF_OWN_BROKER, SUITES};
use crate::cli::context::Context;
use crate::cli::own;

/// The arguments of this process, as they were read, once more with what the file says; `shape` is the
/// command line, and `shown` the same as its help shows it.
///
/// # Errors
/// Those of the parser.
pub fn with_defaults(
    file: &File,
    given: ArgMatches,
    shape: Command,
    shown: &Command,
    context: &Context,
) -> Result<(ArgMatches, SetByFile), clap::Error> {
    let mut set = SetByFile { path: file.path.clone(), keys: Vec::new() };
    let Some((command, matches)) = given.subcommand() else { return Ok((given, set)) };
    let Some(shown) = shown.find_subcommand(command) else { return Ok((given, set)) };
    // A command below another one has none of its flags.
    let (shown, matches, is_below) = match matches.subcommand() {
        Some((below, matches)) => (shown.find_subcommand(below).unwrap_or(shown), matches, true),
        None => (shown, matches, false),
    };
    let line = Line { command, shown, matches };
    let suite = line.suite_of_names(file, context);
    let mut shape = shape;
    for (table, key, value) in file.of(command) {
        if (is_below && !table.is_empty()) || line.says_otherwise(key, value, file, context) {
            continue;
        }
        let words: Vec<OsStr> = value.words.iter().map(|word| word.clone().into()).collect();
        set.keys.push(key);
        let id = id(key);
        let with = |shape: Command| shape.mut_arg(id, |arg| arg.default_values(words));
        shape = if table.is_empty() { with(shape) } else { shape.mut_subcommand(command, with) };
    }
    set.keys.extend(suite.iter().map(|_| SUITES));
    let program = OsString::from("mono-demo");
    let words = iter::once(program).chain(context.arguments.iter().cloned());
    let matches = shape.try_get_matches_from(words.chain(suite.map(OsString::from)))?;
    Ok((matches, set))
}

/// The flags whose values are those of the file, since nobody said otherwise.
#[derive(Debug)]
pub struct SetByFile {
    path: PathBuf,
    keys: Vec<&'static str>,
}

impl SetByFile {
    /// Where the values of these flags come from, if one of them is the file's.
    pub fn note_about(&self, flags: &[&str]) -> Option<String> {
        let set: Vec<&str> = flags.iter().copied().filter(|key| self.keys.contains(key)).collect();
        let (last, others) = set.split_last()?;
        let (names, are) = match others {
            [] => ((*last).to_owned(), "is"),
            others => (format!("{} and {last}", others.join(", ")), "are"),
        };
        Some(format!("note: {names} {are} set in {}", self.path.display()))
    }
}

/// As clap calls the argument.
fn id(key: &str) -> String {
    if key == SUITES { "names".to_owned() } else { key.replace('-', "_") }
}

impl File {
    /// What it says for this command: for all commands, and for this one.
    fn of<'a>(
        &'a self,
        command: &'a str,
    ) -> impl Iterator<Item = (&'static str, &'static str, &'a Value)> {
        self.values
            .iter()
            .filter(move |(table, _)| table.is_empty() || **table == command)
            .flat_map(|(table, keys)| keys.iter().map(|(key, value)| (*table, *key, value)))
    }
}

/// The variable of the environment that wins over this key.
pub fn by_environment(key: &str, context: &Context) -> Option<&'static str> {
    let (_, variables) = BY_ENVIRONMENT.iter().find(|(it, _)| *it == key)?;
    variables.iter().copied().find(|name| context.os(name).is_some())
}

/// What was typed.
struct Line<'a> {
    command: &'a str,
    /// Its command, with the flags that it has.
    shown: &'a Command,
    matches: &'a ArgMatches,
}

impl Line<'_> {
    fn is_given(&self, id: &str) -> bool {
        self.matches.try_contains_id(id).unwrap_or(false)
            && self.matches.value_source(id) == Some(ValueSource::CommandLine)
    }

    /// Whether a key of the file says nothing here.
    fn says_otherwise(&self, key: &str, value: &Value, file: &File, context: &Context) -> bool {
        let not_beside =
            NOT_BESIDE.iter().find(|(it, _)| *it == key).map_or(&[][..], |(_, ids)| *ids);
        let beside = not_beside.iter().any(|id| self.is_given(id));
        let named = ["server", "context"].iter().any(|id| self.is_given(id))
            || ["NATS_URL", "NATS_CONTEXT"].iter().any(|name| context.os(name).is_some());
        self.is_given(&id(key))
            || by_environment(key, context).is_some()
            || NOT_FOR.contains(&(key, self.command))
            || beside && (key == SUITES || value.words.len() > 1)
            || named && self.command == "serve" && OF_OWN_BROKER.contains(&key)
            || key == SUITES && is_in_a_suite_below(file, context)
            || self.conflicts(&id(key))
    }

    /// The suite of the file, where scenarios are named and no path: they are of that one, if it is one.
    fn suite_of_names(&self, file: &File, context: &Context) -> Option<String> {
        let [suite] = file.values.get("e2e")?.get(SUITES)?.words.as_slice() else { return None };
        let about_scenarios = ["e2e", "explore", "shrink"].contains(&self.shown.get_name());
        if self.command != "e2e" || !about_scenarios || is_in_a_suite_below(file, context) {
            return None;
        }
        let elsewhere = ["builtin", "fixtures"].iter().any(|id| self.is_given(id));
        let mut names = self.matches.get_many::<String>("names")?;
        let is_path = names.any(|name| context.absolute(name.as_ref()).exists());
        (!elsewhere && !is_path).then(|| suite.clone())
    }

    /// Whether this command has no such flag, or one was given that does not go with it.
    fn conflicts(&self, id: &str) -> bool {
        let all = || self.shown.get_arguments();
        let Some(own) = all().find(|arg| arg.get_id() == id) else { return true };
        let of = |arg: &clap::Arg, id: &str| {
            self.shown.get_arg_conflicts_with(arg).iter().any(|other| other.get_id() == id)
        };
        own.is_hide_set()
            || all()
                .filter(|other| self.is_given(other.get_id().as_str()))
                .any(|other| of(own, other.get_id().as_str()) || of(other, id))
    }
}

/// Whether the working folder is in a suite that is nearer than the file: that one is meant.
fn is_in_a_suite_below(file: &File, context: &Context) -> bool {
    let folder = file.path.parent().unwrap_or(Path::new("/"));
    let mut below =
        context.cwd.ancestors().take_while(|it| *it != folder && it.starts_with(folder));
    below.any(|it| it.join(own::FILE).is_file())
}
