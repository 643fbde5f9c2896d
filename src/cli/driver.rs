//! `driver rust`: the Rust client as a driver program, on stdin and stdout.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{CliError, Exit};
use super::typed::BuiltIn;
use crate::e2e::driver::{RustDriver, serve_stdio};
use crate::process::Spawn;

/// Arguments of `driver`.
#[derive(Debug, Args)]
pub struct DriverArgs {
    #[command(subcommand)]
    command: DriverCommand,
}

#[derive(Debug, Subcommand)]
enum DriverCommand {
    /// Speak the driver protocol on stdin and stdout with the Rust client.
    Rust,
}

pub async fn run(args: DriverArgs) -> Result<Exit, CliError> {
    let DriverCommand::Rust = args.command;
    let driver = Arc::new(RustDriver::new(Arc::new(BuiltIn)));
    serve_stdio(driver, tokio::io::stdin(), tokio::io::stdout())
        .await
        .map_err(|error| CliError::usage(format!("the driver's input: {error}")))?;
    Ok(Exit::Success)
}

/// How to start it.
pub fn spawn_rust(context: &Context) -> Spawn {
    Spawn::new("driver rust", &context.exe).args(["driver", "rust"])
}
