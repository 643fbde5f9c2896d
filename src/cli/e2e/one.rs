//! The arguments of commands that are about one scenario with one client, and what they mean.

use std::path::PathBuf;

use clap::Args;

use super::arguments::RunArgs;
use super::elsewhere;
use super::settings::Plan;
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::global::{Global, whole};
use crate::cli::output::Output;
use crate::e2e::run::Client;
use crate::e2e::scenario::Fixture;
use crate::e2e::session::{self, ClientUnderTest, Settings};
use crate::modules::payment::Sabotage;

/// Which scenario and client.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The scenario: its name or its file, after the suite's folder where that is not this one.
    #[arg(value_name = "SUITE|SCENARIO", required = true)]
    names: Vec<String>,
    /// The client [default: the first that the scenario has and this machine can run].
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// The folder of scenarios, as for `e2e`.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// A scenario that is built into this program, whatever suite is in this folder.
    #[arg(long, conflicts_with = "fixtures")]
    builtin: bool,
    /// How many runs at a time [default: four times as many as there are cores].
    #[arg(short, long, value_name = "N", value_parser = whole::<usize>(1..=1_000_000))]
    jobs: Option<usize>,
    /// Seed of everything that is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(0..=u64::MAX))]
    seed: u64,
    /// Make the built-in workers break their promises.
    #[arg(long, value_name = "HOW")]
    sabotage: Option<Sabotage>,
}

impl OneArgs {
    /// As a run's.
    pub(super) fn run(&self) -> RunArgs {
        RunArgs {
            names: self.names.clone(),
            client: self.client.clone().into_iter().collect(),
            fixtures: self.fixtures.clone(),
            builtin: self.builtin,
            jobs: self.jobs,
            seed: self.seed,
            sabotage: self.sabotage,
            ..RunArgs::default()
        }
    }
}

/// One scenario with one client, ready to be run.
pub(super) struct One {
    pub(super) settings: Settings,
    pub(super) fixture: Fixture,
    pub(super) client: ClientUnderTest,
    /// Whether it is a copy of a built-in one, beside which nothing can be written.
    pub(super) is_copy: bool,
}

impl One {
    /// Finds it, and prepares what it needs; `looks` refuses what makes no sense before that; it
    /// is told whether the suite is a copy.
    ///
    /// # Errors
    /// No such scenario, or several; no client for it; what `looks` says; what cannot be had.
    pub(super) async fn find(
        args: &RunArgs,
        global: &Global,
        context: &Context,
        output: &Output,
        looks: impl FnOnce(&Settings, &Fixture, bool) -> Result<(), CliError>,
    ) -> Result<Self, CliError> {
        let mut plan = Plan::find(args, None, global, context, output).await?;
        let by_name = plan.by_name().await?;
        let chosen = session::chosen(&by_name).map_err(|error| plan.meant(error))?.fixtures;
        let [fixture] = chosen.as_slice() else {
            let names: Vec<String> =
                chosen.iter().map(|fixture| fixture.name.to_string()).collect();
            let message = format!("{} scenarios are meant, and it has to be one", names.len());
            let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 5 { ", …" } else { "" };
            return Err(CliError::usage(message).hint(format!("name one of {shown}{more}")));
        };
        looks(&by_name, fixture, plan.is_copy())?;
        elsewhere::answer(&chosen, args).await?;
        let settings = plan.prepared().await?;
        let fixture = fixture.clone();
        let clients = || session::clients_of(&settings, &fixture);
        let is_there = |client: &&ClientUnderTest| !matches!(client.client, Client::Unavailable(_));
        let client = match (clients().find(is_there), clients().next()) {
            (Some(client), _) => client.clone(),
            (None, Some(ClientUnderTest { client: Client::Unavailable(why), name, .. })) => {
                return Err(CliError::infrastructure(&format!("client {name}"), why));
            }
            _ => return Err(CliError::usage(format!("{} has no client", fixture.name))),
        };
        Ok(Self { is_copy: plan.is_copy(), settings, fixture, client })
    }
}
