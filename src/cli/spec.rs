//! `spec`: the contract as documents, generated from the types of the messages, and the accounts
//! and permissions, generated from the roles.

use clap::Args;
use serde_json::json;

use super::exit::{CliError, Exit};
use super::output::Output;
use crate::broker::accounts_config;
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
    /// Print the accounts and users for the configuration of your own nats-server, with the
    /// passwords as environment variables.
    #[arg(long)]
    accounts: bool,
}

const ACCOUNTS: &str = "\
# Services and streams have an account, clients have another: a reply subject is no way in. This goes
# beside the jetstream block of the config; the server finds the three passwords in its environment.
# A client that no other one may hear is an account like client-client, with a user of its own.";

pub fn run(args: &SpecArgs, output: &Output) -> Result<Exit, CliError> {
    if args.accounts {
        let config = format!("{ACCOUNTS}\n{}", accounts_config());
        output.line(config.trim_end());
        output.object(&json!({ "config": config }));
        return Ok(Exit::Success);
    }
    let document = if args.asyncapi { asyncapi() } else { json_schema() };
    // Documents are for machines either way.
    output.line(format!("{document:#}"));
    output.object(&document);
    Ok(Exit::Success)
}
