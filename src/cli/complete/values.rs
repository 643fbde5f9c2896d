//! Names that are known only here and now: services, clients, scenarios, tags, contexts.

use std::collections::BTreeSet;

use clap::Command;

use super::words::Wanted;
use crate::cli::catalogue::Known;
use crate::cli::clients::CLIENTS;
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::parts;
use crate::cli::suite;
use crate::e2e::session;

/// All that could stand there; none where it is a file, or free.
pub fn of(wanted: Wanted, program: &Command, context: &Context) -> Vec<String> {
    let scenarios = || scenarios(wanted.before, context);
    match (wanted.command, wanted.argument) {
        ("call", "target" | "rest") => named(&Known::to_call(), wanted.before),
        ("publish", "target" | "rest") => named(&Known::to_publish(), wanted.before),
        (_, "context") => contexts::names(context),
        ("e2e", "client" | "require") => CLIENTS.map(str::to_owned).to_vec(),
        ("e2e" | "e2e explore" | "e2e shrink", "names") => {
            scenarios().into_iter().map(|(name, _)| name).collect()
        }
        ("e2e explore", "service") => {
            let own = suite::services_of(wanted.before, context);
            own.unwrap_or_else(|| vec![parts::SERVICES.to_owned()])
        }
        ("man", "command") => commands(program, wanted.before),
        ("e2e", "tag" | "tags") => {
            let tags = scenarios().into_iter().flat_map(|(_, tags)| tags);
            tags.collect::<BTreeSet<_>>().into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn named(known: &Known, before: &[String]) -> Vec<String> {
    let names = match before {
        [] => known.modules(),
        [module] => known.operations(module),
        _ => Vec::new(),
    };
    names.into_iter().map(str::to_owned).collect()
}

/// The commands below the one that these words lead to.
fn commands(program: &Command, before: &[String]) -> Vec<String> {
    let inner =
        before.iter().try_fold(program, |command, word| command.find_subcommand(word.as_str()));
    let all = inner.into_iter().flat_map(Command::get_subcommands);
    let shown = all.filter(|command| !command.is_hide_set() && command.get_name() != "help");
    shown.map(|command| command.get_name().to_owned()).collect()
}

/// Names and tags of the scenarios that `e2e` would find after these words; one that cannot be read has
/// no tags.
fn scenarios(before: &[String], context: &Context) -> Vec<(String, Vec<String>)> {
    let Some(folder) = suite::fixtures_of(before, context) else { return Vec::new() };
    let files = session::files(&folder).unwrap_or_default();
    let of_file = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(&folder).ok()?.with_extension("").to_str()?.to_owned();
        // Steps that scenarios share are none.
        if name.ends_with(".steps") {
            return None;
        }
        let text = session::text_of(path).unwrap_or_default();
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let tags = table.get("tags").and_then(toml::Value::as_array).into_iter().flatten();
        Some((name, tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect()))
    };
    files.iter().filter_map(of_file).collect()
}
