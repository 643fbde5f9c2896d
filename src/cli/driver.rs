//! `driver`: the Rust client as a driver program, and the conformance checks for users' own
//! drivers.

use std::ffi::OsString;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::{provision_settings, reaper};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::Global;
use super::output::{Output, printable};
use super::signals::from_here_on;
use super::typed::BuiltIn;
use crate::counted::counted;
use crate::e2e::driver::conformance;
use crate::e2e::driver::conformance::{CheckError, Checked, Verdict};
use crate::e2e::driver::{RustDriver, ServeError, serve_stdio};
use crate::process::Spawn;
use crate::provision;

/// Arguments of `driver`.
#[derive(Debug, Args)]
pub struct DriverArgs {
    #[command(subcommand)]
    command: DriverCommand,
}

#[derive(Debug, Subcommand)]
enum DriverCommand {
    /// Run the Rust client as a driver: the driver protocol on stdin and stdout.
    Rust,
    /// Check each promise of the protocol with your own driver, against a broker.
    ///
    /// Exits with 0 if the driver keeps all of them, else with 1; each failure shows the exchange.
    Check(CheckArgs),
    /// Print the JSON Schema of the driver protocol.
    Schema,
    /// Print the description of the driver protocol, which is docs/protocol.md.
    Protocol,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Only this check; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(conformance::names()), hide_possible_values = true)]
    only: Vec<String>,
    /// The command that starts the driver.
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<OsString>,
}

pub async fn run(
    args: DriverArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    match args.command {
        DriverCommand::Rust => rust(context).await,
        DriverCommand::Check(args) => check(args, global, context, output).await,
        DriverCommand::Schema => {
            // A schema is for machines either way.
            output.line(format!("{:#}", conformance::schema()));
            output.object(&conformance::schema());
            Ok(Exit::Success)
        }
        DriverCommand::Protocol => {
            let page = conformance::markdown();
            output.line(page.trim_end());
            output.object(&json!({ "ok": true, "markdown": page }));
            Ok(Exit::Success)
        }
    }
}

/// Names the step of PAYMENTS.md after which the driver aborts; off unless it is set, and `A` is
/// the only step of a client.
const CRASH: &str = "MONO_DEMO_CRASH";

async fn rust(context: &Context) -> Result<Exit, CliError> {
    let driver = RustDriver::new(Arc::new(BuiltIn));
    let driver = Arc::new(match context.var(CRASH).as_deref() {
        None => driver,
        Some("A") => driver.dying_after_publish(),
        Some(other) => {
            return Err(CliError::usage(format!(
                "{CRASH}={other}: the only step of a client is A"
            )));
        }
    });
    serve_stdio(driver, tokio::io::stdin(), tokio::io::stdout()).await.map_err(|error| {
        let exit = match error {
            ServeError::NoCommand { .. } => Exit::Usage,
            _ => Exit::Infrastructure,
        };
        CliError::new(exit, error)
    })?;
    Ok(Exit::Success)
}

/// How to start it.
pub fn spawn_rust(context: &Context) -> Spawn {
    Spawn::new("driver rust", &context.exe).args(["driver", "rust"])
}

/// The same, aborting right after it has published a submission.
pub fn spawn_dying_rust(context: &Context) -> Spawn {
    spawn_rust(context).env(CRASH, "A")
}

async fn check(
    args: CheckArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    from_here_on().await;
    let tools = provision_settings(&global.tools, context);
    let server = provision::nats_server(&tools, &|line: &str| output.note(line)).await?;
    let mut words = args.command.into_iter();
    // Clap has seen to it that there is one.
    let program = words.next().unwrap_or_default();
    let spawn = Spawn::new("the driver", program).args(words).cwd(&context.cwd);
    let told = |checked: &Checked| tell(checked, output);
    let reaper = reaper(context);
    let results = conformance::check(server, &reaper, &spawn, &args.only, told).await?;
    let count = |wanted: fn(&Verdict) -> bool| {
        results.iter().filter(|checked| wanted(&checked.verdict)).count()
    };
    let passed = count(|verdict| matches!(verdict, Verdict::Passed));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let skipped = results.len() - passed - failed;
    output.line(format!(
        "{}: {passed} passed, {failed} failed, {skipped} skipped",
        counted(results.len(), "check")
    ));
    output.object(&json!({ "ok": failed == 0, "checks": results }));
    Ok(if failed == 0 { Exit::Success } else { Exit::Mismatch })
}

fn tell(checked: &Checked, output: &Output) {
    let Checked { name, promise, verdict } = checked;
    match verdict {
        Verdict::Passed => output.line(format!("ok    {name:<18} {promise}")),
        Verdict::Skipped { reason } => output.line(format!("skip  {name:<18} {reason}")),
        Verdict::Failed { complaint, exchange } => {
            output.line(format!("FAIL  {name:<18} {promise}"));
            output.line(format!("      {}", printable(complaint)));
            for line in exchange {
                output.line(format!("        {}", printable(line)));
            }
        }
    }
}

impl From<CheckError> for CliError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Broker(error) => error.into(),
            error @ (CheckError::Driver(_) | CheckError::Bench(_)) => {
                Self::new(Exit::Infrastructure, error)
            }
        }
    }
}
