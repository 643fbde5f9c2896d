//! `spec`: the contract as documents, made from the types that the services speak with.

use clap::Args;

use super::exit::{CliError, Exit};
use super::output::Output;
use crate::modules::contract::{asyncapi, json_schema};

/// Arguments of `spec`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SpecArgs {
    /// Print an AsyncAPI 3.0 document: subjects, operations, messages.
    #[arg(long)]
    asyncapi: bool,
    /// Print one JSON Schema with all messages, each below `$defs`.
    #[arg(long)]
    json_schema: bool,
}

pub fn run(args: &SpecArgs, output: &Output) -> Result<Exit, CliError> {
    let document = if args.asyncapi { asyncapi() } else { json_schema() };
    // Documents are for machines either way.
    output.line(format!("{document:#}"));
    output.object(&document);
    Ok(Exit::Success)
}
