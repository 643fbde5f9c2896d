//! Whether the brokers answer that scenarios name and somebody else runs: known before anything is run.

use super::arguments::RunArgs;
use crate::cli::exit::CliError;
use crate::cli::running::CLOSES;
use crate::e2e::scenario::{Elsewhere, Fixture};
use crate::mono::{Auth, Connection, Target};

/// Connects to each of them once.
///
/// # Errors
/// The first that does not answer, or does not let us in; or that a version is asked for, which is theirs.
pub(super) async fn answer(chosen: &[Fixture], args: &RunArgs) -> Result<(), CliError> {
    let mut elsewhere = chosen.iter().filter(|fixture| fixture.broker.url.is_some());
    if let (false, Some(fixture)) = (args.nats_server_version.is_empty(), elsewhere.next()) {
        let name = &fixture.name;
        let why = format!("the broker of {name} is one that somebody else runs");
        return Err(CliError::usage(format!("--nats-server-version: {why}"))
            .hint("leave it out, or choose other scenarios")
            .about(&["nats-server-version"]));
    }
    let mut known: Vec<&Elsewhere> = Vec::new();
    for fixture in chosen {
        let Some(broker) = fixture.broker.url.as_ref().filter(|broker| !known.contains(broker))
        else {
            continue;
        };
        known.push(broker);
        let auth = broker.login.clone();
        let auth = auth.map_or(Auth::None, |(user, password)| Auth::User(user, password));
        let target = Target { url: broker.url.clone(), auth, quiet: true, ..Target::default() };
        match Connection::open(&target, "mono-demo e2e").await {
            Ok(connection) => drop(connection.close(CLOSES).await),
            Err(error) => {
                let message = format!("the broker of {}: {error}", fixture.name);
                return Err(CliError::usage(message).hint(
                    "`url` of `[broker]` names it: start it, or leave `url` out for a broker of the run's own",
                ));
            }
        }
    }
    Ok(())
}
