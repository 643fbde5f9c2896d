//! `config`: which file gives defaults here, and what it sets.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::defaults::by_environment;
use super::file::Value;
use super::find::{NAME, found, searched};
use super::keys::{Form, TABLES};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::output::Output;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {}

/// Prints the file and its values, and which of them the environment overrides.
///
/// # Errors
/// As [`found`].
pub fn run(
    global: &Global,
    shape: &clap::Command,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let file = match global.no_config {
        true => None,
        false => found(global.config.as_deref(), shape, context)?,
    };
    let Some(file) = file else {
        let folders = searched(context);
        let up_to = folders.last().map_or(Path::new("/"), |folder| folder.as_path());
        output.line(match (global.no_config, folders.len()) {
            (true, _) => "no file: --no-config".to_owned(),
            (false, 1) => format!("there is no {NAME} in {}", up_to.display()),
            (false, _) => format!("there is no {NAME} here or above, up to {}", up_to.display()),
        });
        output.object(&json!({ "ok": true, "file": null, "values": {}, "overridden": {} }));
        return Ok(Exit::Success);
    };
    output.line(file.path.display());
    let mut objects = Map::new();
    let mut overridden = Map::new();
    for (table, _) in TABLES {
        let Some(values) = file.values.get(table).filter(|values| !values.is_empty()) else {
            continue;
        };
        if !table.is_empty() {
            output.line(format!("[{table}]"));
        }
        let mut object = Map::new();
        for (key, value) in values {
            let by = by_environment(key, context);
            let note = by.map(|name| format!("  # {name} is set, and wins")).unwrap_or_default();
            output.line(format!("{key} = {}{note}", json(value)));
            object.insert((*key).to_owned(), json(value));
            if let Some(name) = by {
                overridden.insert((*key).to_owned(), name.into());
            }
        }
        match table {
            "" => objects.extend(object),
            table => _ = objects.insert(table.to_owned(), object.into()),
        }
    }
    output.object(&json!({
        "ok": true, "file": file.path, "values": objects, "overridden": overridden,
    }));
    Ok(Exit::Success)
}

/// As it is in effect: paths are absolute.
fn json(value: &Value) -> Json {
    let first = value.words.first().map(String::as_str).unwrap_or_default();
    match value.form {
        Form::Truth => Json::Bool(first == "true"),
        Form::Whole => first.parse::<i64>().map_or_else(|_| first.into(), Json::from),
        Form::Text | Form::Path => first.into(),
        Form::Texts | Form::Suites | Form::Reports => value.words.clone().into(),
    }
}
