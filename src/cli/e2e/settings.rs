//! Turns arguments into settings: which suite, with which broker and clients, and how golden files
//! are handled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::again::again;
use super::arguments::RunArgs;
use super::last_failed;
use crate::cli::connect::{provision_settings, reaper};
use crate::cli::context::Context;
use crate::cli::driver::spawn_dying_rust;
use crate::cli::exit::CliError;
use crate::cli::global::Global;
use crate::cli::near_suites;
use crate::cli::output::Output;
use crate::cli::own::NOT_LOOKED_FOR;
use crate::cli::parts::{self, Parts};
use crate::cli::services;
use crate::cli::shell::word;
use crate::cli::suite::{self, Suite};
use crate::counted::counted;
use crate::e2e::run::Kept;
use crate::e2e::run::Machine;
use crate::e2e::run::oracle::Oracle;
use crate::e2e::scenario::OnCluster;
use crate::e2e::session::{self, Again, E2eError, Filter, Mode, Runs, Settings};
use crate::e2e::text::Schemas;
use crate::e2e::verdict::event::Invocation;
use crate::proof::{ContentOf, Proof};
use crate::provision::{self, NatsServer};

/// Which suite the arguments mean, before anything is prepared for it.
pub(super) struct Plan<'a> {
    args: &'a RunArgs,
    global: &'a Global,
    context: &'a Context,
    output: &'a Output,
    tools: provision::Settings,
    suite: Suite,
    filter: Filter,
}

impl<'a> Plan<'a> {
    /// Finds the suite; `only` are files, of whose scenarios alone is spoken.
    ///
    /// # Errors
    /// Arguments that do not go with this suite or this place.
    pub(super) async fn find(
        args: &'a RunArgs,
        only: Option<BTreeSet<PathBuf>>,
        global: &'a Global,
        context: &'a Context,
        output: &'a Output,
    ) -> Result<Self, CliError> {
        if args.keep && context.ci() {
            return Err(CliError::usage("--keep: CI is set, where nobody can press Ctrl-C")
                .hint("run it on your own machine, with the line `again: …` that CI shows"));
        }
        if args.shrink && context.ci() {
            return Err(CliError::usage(
                "--shrink: CI is set, where nothing is written beside the fixtures",
            )
            .hint("`mono-demo e2e shrink SCENARIO --output FILE` says where to write it"));
        }
        let tools =
            provision::Settings { under_test: true, ..provision_settings(&global.tools, context) };
        let suite = suite::find(args.asked(), &tools, context, output).await?;
        if suite.own.is_some() && args.sabotage.is_some() {
            return Err(CliError::usage(
                "--sabotage: it makes the built-in services misbehave, and this suite has its own services",
            )
            .hint("make your own service misbehave by its `env`, and expect its scenarios to fail"));
        }
        let names = suite::names(args.asked(), &suite.fixtures, &suite.root, context)
            .map_err(|error| error.about(&["suites"]))?;
        if suite.built_in && args.update {
            return Err(CliError::usage("--update: the built-in scenarios cannot be changed here")
                .hint("name your own folder with --fixtures"));
        }
        if context.ci() && args.update {
            return Err(CliError::usage("--update: CI is set, where nothing is written")
                .hint("run it on your own machine, read what it wrote, and commit that"));
        }
        if args.record && (suite.built_in || context.ci()) {
            let why = if suite.built_in {
                "the built-in scenarios cannot be changed here"
            } else {
                "CI is set, where nothing is written"
            };
            return Err(CliError::usage(format!("--record: {why}")));
        }
        let failed = args.last_failed.then(|| last_failed::of_suite(&suite.fixtures, context));
        let failed = failed.transpose()?;
        let filter = Filter {
            failed,
            names,
            tags: args.tag.clone(),
            expression: args.filter.clone(),
            shard: args.shard,
            only,
        };
        Ok(Self { args, global, context, output, tools, suite, filter })
    }

    /// Enough to say which scenarios and clients are chosen: nothing is installed or prepared. What
    /// failed and is in the suite no more is not chosen from then on.
    ///
    /// # Errors
    /// A client that the suite does not have.
    pub(super) async fn by_name(&mut self) -> Result<Settings, CliError> {
        let parts = match &self.suite.own {
            Some(own) => parts::of_own_by_name(own, self.args)?,
            None => self.built_in(true).await?,
        };
        let mut settings = self.settings(parts, Err(NOT_LOOKED_FOR.to_owned()), None);
        // A slip in a fixture is told where the choice is made.
        if let Some(failed) = &mut self.filter.failed
            && let Ok(names) = session::names(&settings)
        {
            failed.retain(|(scenario, _)| names.contains(scenario));
            settings.filter.failed = Some(failed.clone());
        }
        Ok(settings)
    }

    /// What it comes to on this machine: what is needed is prepared.
    ///
    /// # Errors
    /// What cannot be had.
    pub(super) async fn prepared(&self) -> Result<Settings, CliError> {
        let histories = histories(self.args, self.context)?;
        let progress = |line: &str| self.output.note(line);
        let server = match self.args.nats_server_version.first() {
            Some(version) => {
                provision::nats_server_of(version, &self.tools, &progress).await.map_err(
                    |error| CliError::from(error).about(&["nats-server-version", "offline"]),
                )?
            }
            None => provision::nats_server(&self.tools, &progress).await?,
        };
        let Suite { root, own, .. } = &self.suite;
        let parts = match own {
            Some(own) => parts::of_own(own, self.args, root, &self.tools, self.output).await?,
            None => self.built_in(false).await?,
        };
        Ok(self.settings(parts, Ok(server), histories))
    }

    /// Where nothing is chosen, also which suite was meant, perhaps.
    pub(super) fn meant(&self, error: E2eError) -> CliError {
        let near = matches!(&error, E2eError::NothingChosen { near: None, .. });
        let hint = near.then(|| near_suites::hint(&self.args.names, self.context)).flatten();
        let by_client = matches!(&error, E2eError::NothingChosen { by_client: true, .. });
        let error = CliError::from(error);
        let error = if by_client { error.about(&["client"]) } else { error };
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Makes sure that `--last-failed` has something to choose from.
    ///
    /// # Errors
    /// Nothing is known to have failed.
    pub(super) fn something_failed(&self) -> Result<(), CliError> {
        let nothing_failed = self.filter.failed.as_ref().is_some_and(Runs::is_empty);
        if !nothing_failed || self.args.pass_with_no_runs {
            return Ok(());
        }
        let message = "e2e --last-failed: no run of this suite is known to have failed here";
        Err(CliError::usage(message)
            .hint("run the suite without it; with --pass-with-no-runs that is a success"))
    }

    /// Where the scenarios are.
    pub(super) fn fixtures(&self) -> &Path {
        &self.suite.fixtures
    }

    /// Whether it is a copy, into which nothing may be written.
    pub(super) fn is_copy(&self) -> bool {
        self.suite.built_in
    }

    async fn built_in(&self, by_name: bool) -> Result<Parts, CliError> {
        let (root, tools) = (&self.suite.root, &self.tools);
        parts::of_built_in(by_name, self.args, root, tools, self.context, self.output).await
    }

    fn settings(
        &self,
        parts: Parts,
        server: Result<NatsServer, String>,
        histories: Option<Arc<Kept>>,
    ) -> Settings {
        let Self { args, context, .. } = *self;
        let Suite { fixtures, root, built_in, .. } = &self.suite;
        Settings {
            fixtures: fixtures.clone(),
            filter: self.filter.clone(),
            clients: parts.clients,
            known_clients: parts.known_clients,
            known_services: parts.known_services,
            commands: parts.commands,
            defaults: parts.defaults.clone(),
            promises: parts.promises,
            schemas: Schemas::new(root, parts.contract),
            jobs: args.jobs.unwrap_or_default(),
            mode: match args {
                RunArgs { update: true, .. } => Mode::Update,
                RunArgs { ci: true, .. } => Mode::Ci,
                _ if *built_in => Mode::Ci,
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
                shown_from: shown_from(&self.suite, context).to_owned(),
                root: root.clone(),
                seed: args.seed,
                histories,
                // Of services of one's own it would say that it looked at nothing.
                oracles: parts.payments.then(proof).into_iter().collect(),
                dying_client: parts.payments.then(|| spawn_dying_rust(context)),
                leaks: args.leaks.or(parts.defaults.leaks).unwrap_or_default(),
                hazards: args
                    .hazards
                    .clone()
                    .or(parts.defaults.hazards.clone())
                    .unwrap_or_default(),
                leaders: parts.leaders,
                redact: parts.redact,
                aloud: args.no_capture,
            },
            validate_services: parts.validate,
            command: again(args, self.global, &self.suite, context),
            pass_with_no_runs: args.pass_with_no_runs,
            invocation: Invocation {
                suite: self.suite.shown.clone(),
                command: command_line(context),
                machine: machine(),
            },
        }
    }
}

/// What was typed; nothing that `e2e` takes is secret.
fn command_line(context: &Context) -> String {
    let words = context.arguments.iter().map(|argument| word(argument.display()));
    ["mono-demo".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}, {}", std::env::consts::OS, std::env::consts::ARCH, counted(cores, "core"))
}

/// What the built-in services promise.
fn proof() -> Arc<dyn Oracle> {
    Arc::new(Proof { content_of: Some(Arc::new(services::payment_content) as ContentOf) })
}

/// Where people are, if the suite or its fixtures are there or below: so paths in messages can be opened.
pub(super) fn shown_from<'a>(suite: &'a Suite, context: &'a Context) -> &'a Path {
    let is_below = [&suite.root, &suite.fixtures].iter().any(|it| it.starts_with(&context.cwd));
    if is_below { &context.cwd } else { &suite.root }
}

/// Opened before anything is prepared.
fn histories(args: &RunArgs, context: &Context) -> Result<Option<Arc<Kept>>, CliError> {
    let Some(folder) = &args.history else { return Ok(None) };
    let kept = Kept::open(&context.absolute(folder))
        .map_err(|error| CliError::usage(format!("--history {}: {error}", folder.display())))
        .map_err(|error| error.about(&["history"]))?;
    Ok(Some(Arc::new(kept)))
}
