//! Names that are known only here and now: services, clients, scenarios, tags, contexts.

use std::collections::BTreeSet;

use super::words::Wanted;
use crate::cli::catalogue::Known;
use crate::cli::clients::CLIENTS;
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::suite;
use crate::e2e::session;

/// All that could stand there; none where it is a file, or free.
pub fn of(wanted: Wanted, context: &Context) -> Vec<String> {
    match (wanted.command, wanted.argument) {
        ("call", "target" | "rest") => named(&Known::to_call(), wanted.before),
        ("publish", "target" | "rest") => named(&Known::to_publish(), wanted.before),
        (_, "context") => contexts::names(context),
        ("e2e", "client" | "require") => CLIENTS.map(str::to_owned).to_vec(),
        ("e2e", "names") => scenarios(context).into_iter().map(|(name, _)| name).collect(),
        ("e2e", "tag" | "tags") => {
            let tags = scenarios(context).into_iter().flat_map(|(_, tags)| tags);
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

/// Names and tags of the scenarios that `e2e` would find; one that cannot be read has no tags.
fn scenarios(context: &Context) -> Vec<(String, Vec<String>)> {
    let Ok(folder) = suite::fixtures_here(context) else { return Vec::new() };
    let files = session::files(&folder).unwrap_or_default();
    let of_file = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(&folder).ok()?.with_extension("").to_str()?.to_owned();
        let text = session::text_of(path).unwrap_or_default();
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let tags = table.get("tags").and_then(toml::Value::as_array).into_iter().flatten();
        Some((name, tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect()))
    };
    files.iter().filter_map(of_file).collect()
}
