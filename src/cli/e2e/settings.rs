//! From arguments to settings: which suite, with what, and what is done about golden files.

use std::path::Path;
use std::sync::Arc;

use super::again::again;
use super::arguments::RunArgs;
use crate::cli::connect::{provision_settings, reaper};
use crate::cli::context::Context;
use crate::cli::driver::spawn_dying_rust;
use crate::cli::exit::CliError;
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::suite::{self, Suite};
use crate::cli::{parts, services};
use crate::e2e::run::Kept;
use crate::e2e::run::Machine;
use crate::e2e::scenario::OnCluster;
use crate::e2e::session::{Again, Filter, Mode, Settings};
use crate::e2e::text::Schemas;
use crate::proof::{ContentOf, Proof};
use crate::provision;

/// What the arguments come to on this machine: the suite is found, and what it needs is prepared.
///
/// # Errors
/// Arguments that do not go with this suite or this place; what cannot be had.
pub(super) async fn settings(
    args: &RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Settings, CliError> {
    if args.keep && context.ci() {
        return Err(CliError::usage("--keep: CI is set, and there nobody presses Ctrl-C")
            .hint("run it on your own machine, with the line `again: …` that CI shows"));
    }
    let tools = provision_settings(&global.tools, context);
    let suite = suite::find(args.asked(), &tools, context, output).await?;
    let command = again(args, global, &suite, context);
    let Suite { fixtures, root, built_in, own } = suite;
    if own.is_some() && args.sabotage.is_some() {
        return Err(CliError::usage(
            "--sabotage: it lets the built-in services cheat, and this suite has services of its own",
        )
        .hint("let a service of your own cheat by its `env`, and expect its scenarios to turn red"));
    }
    let names = suite::names(args.asked(), &fixtures, &root, context)?;
    if built_in && args.update {
        return Err(CliError::usage("--update: the built-in scenarios cannot be changed here")
            .hint("name a folder of your own with --fixtures"));
    }
    if context.ci() && args.update {
        return Err(CliError::usage("--update: CI is set, and there nothing is written")
            .hint("run it on your own machine, read what it wrote, and commit that"));
    }
    let progress = |line: &str| output.note(line);
    if args.record && (built_in || context.ci()) {
        let why = if built_in {
            "the built-in scenarios cannot be changed here"
        } else {
            "CI is set, where nothing is written"
        };
        return Err(CliError::usage(format!("--record: {why}")));
    }
    let server = provision::nats_server(&tools, &progress).await?;
    let parts = match own {
        Some(own) => parts::of_own(&own, args, &root, &tools, output).await?,
        None => parts::of_built_in(args, &root, &tools, context, output).await?,
    };
    Ok(Settings {
        fixtures,
        filter: Filter {
            names,
            tags: args.tag.clone(),
            expression: args.filter.clone(),
            shard: args.shard,
            only: None,
        },
        clients: parts.clients,
        known_clients: parts.known_clients,
        known_services: parts.known_services,
        defaults: parts.defaults,
        schemas: Schemas::new(&root, parts.contract),
        jobs: args.jobs,
        mode: match args {
            RunArgs { update: true, .. } => Mode::Update,
            RunArgs { ci: true, .. } => Mode::Ci,
            // What a cheat said is nothing to accept.
            RunArgs { sabotage: Some(_), .. } => Mode::Ci,
            _ if built_in => Mode::Ci,
            _ if context.ci() => Mode::Ci,
            _ => Mode::Compare,
        },
        fail_fast: args.fail_fast,
        again: match (args.repeat, args.retries) {
            (Some(rounds), _) => Again::Rounds(rounds),
            (None, Some(retries)) => Again::Retries(retries),
            (None, None) => Again::Never,
        },
        cluster: args.cluster.map(|nodes| OnCluster {
            nodes: usize::from(nodes),
            services: services::on_a_cluster(),
        }),
        machine: Machine {
            server,
            reaper: reaper(context),
            run_root: context.temp.clone(),
            services: parts.services,
            roles: parts.roles,
            variables: parts.variables,
            shown_from: shown_from(&root, context).to_owned(),
            root,
            seed: args.seed,
            histories: histories(args, context)?,
            oracles: vec![Arc::new(Proof {
                content_of: parts
                    .payments
                    .then(|| Arc::new(services::payment_content) as ContentOf),
            })],
            dying_client: parts.payments.then(|| spawn_dying_rust(context)),
            leaks: args.leaks.or(parts.defaults.leaks).unwrap_or_default(),
            leaders: parts.leaders,
            redact: parts.redact,
        },
        validate_services: parts.validate,
        command,
    })
}

/// Where people are, if the suite is there or below: so paths in messages can be opened.
pub(super) fn shown_from<'a>(root: &'a Path, context: &'a Context) -> &'a Path {
    if root.starts_with(&context.cwd) { &context.cwd } else { root }
}

/// Opened before anything is run, unless nothing will be.
fn histories(args: &RunArgs, context: &Context) -> Result<Option<Arc<Kept>>, CliError> {
    let Some(folder) = args.history.as_ref().filter(|_| !args.list) else { return Ok(None) };
    let kept = Kept::open(&context.absolute(folder))
        .map_err(|error| CliError::usage(format!("--history {}: {error}", folder.display())))?;
    Ok(Some(Arc::new(kept)))
}
