//! `serve`: a broker and the three services, until told to stop.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::{Global, duration};
use super::brokers::{Brokers, Wanted};
use super::connect::named_target;
use super::context::Context;
use super::contexts;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::runtime_file::{self, Runtime, RuntimeFile};
use super::services::{self, Proof, REPLICAS, Settings};
use super::signals::Signals;
use crate::broker::{Port, Role, Store, Tls};
use crate::modules::payment::Sabotage;
use crate::mono::{Connection, Running, Target, without_secrets};
use crate::provision::Version;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = SETTINGS_HELP)]
pub struct ServeArgs {
    /// Where the broker listens; 0 is a temporary port [default: 4222 if it is free, else 0].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// So many servers that replicate the streams to each other; from --port on they count up.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=5))]
    cluster: Option<u16>,
    /// Keep the streams in this folder, every write synced to disk [default: a private temporary one].
    #[arg(long, value_name = "DIR")]
    store_dir: Option<PathBuf>,
    /// Ask clients who they are: three users with random passwords, which go into private files;
    /// with --store-dir they stay the same.
    #[arg(long)]
    auth: bool,
    /// Speak TLS only, with this certificate for 127.0.0.1 (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authority that signed it, for clients to trust [default: those that the system trusts].
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
    /// Make streams that were lost anew, and go on with what is left of damaged ones [default:
    /// refuse].
    #[arg(long)]
    recreate: bool,
    /// Workers of each service in this process.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// A rule of the simulated gateway, as 'id = "pay-7", fail_times = 2'; may be given several times.
    #[arg(long, value_name = "RULE")]
    gateway: Vec<String>,
    /// A rule of the simulated mailer, as 'to = "bad@example.com", fail = true'.
    #[arg(long, value_name = "RULE")]
    mailer: Vec<String>,
    /// Settings of the services, a TOML file with the tables math, notification and payment.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Where the simulated gateway and mailer keep their journals [default: beside the streams].
    #[arg(long, value_name = "DIR")]
    journal_dir: Option<PathBuf>,
    /// Write {"url", "pid", "name"} to this file when everything serves; it goes when serving ends.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Save a NATS context of this name for `nats --context NAME`.
    #[arg(long, value_name = "NAME")]
    save_context: Option<String>,
    /// How long to finish what is in hand after Ctrl-C or SIGTERM; a second Ctrl-C exits at once.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    drain_timeout: Duration,
    /// Break promises on purpose, so that checks can be seen to find it out.
    #[arg(long, hide = true)]
    sabotage: Option<Sabotage>,
    /// Note what workers begin with, in `deliveries.jsonl` beside the other journals.
    #[arg(long, hide = true)]
    note_deliveries: bool,
}

/// Of NATS contexts, for whoever lists them.
const DESCRIPTION: &str = "mono-demo serve";

const SETTINGS_HELP: &str = "\
A script waits until everything serves with --ready-file FILE, or for the line `Ready: URL`.

Settings, as --settings FILE (each may be left out):
  [math]          workers = 1
  [notification]  workers = 1, mailer = [{ to = \"bad@example.com\", fail = true, delay = \"50ms\" }]
  [payment]       workers = 1, concurrency = 256, ack_wait = \"5s\", max_deliver = 5, backoff = [\"100ms\", \"1s\"],
                  gateway_timeout = \"10s\", replicas = 1,
                  gateway = [{ id = \"pay-7\", fail_times = 2 },
                             { amount = \"13.13\", outcome = \"decline\", reason = \"stolen card\" },
                             { id = \"pay-8\", delay = \"2s\" }, { id = \"pay-9\", outcome = \"hang\" }],
                  chance = { seed = 7, decline_percent = 5, unavailable_percent = 10 }
A payment that no rule matches is approved.";

pub async fn run(
    args: ServeArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let settings = settings(&args, context)?;
    if let Some(name) = &args.save_context {
        contexts::path(name, context)?;
    }
    // From here on a signal is an orderly end, also while things are still starting.
    let mut signals = Signals::listen()?;
    let (broker, target) = match named_target(&global.connection, context)? {
        Some(target) => {
            refuse_broker_flags(&args)?;
            (None, target)
        }
        None => {
            let wanted = wanted(&args, context)?;
            let brokers = tokio::select! {
                started = Brokers::start(&wanted, &global.tools, context, output) => started?,
                () = signals.first() => return Ok(Exit::Interrupted),
            };
            let target = brokers.target(Role::Worker);
            (Some(brokers), target)
        }
    };
    let connection = Connection::open(&target, "mono-demo services").await?;
    let journals = journal_dir(&args, broker.as_ref(), context);
    let proof = Proof { sabotage: args.sabotage, note_deliveries: args.note_deliveries };
    let keeping = services::Keeping {
        journals: &journals,
        durable: args.store_dir.is_some(),
        recreate: args.recreate,
    };
    if let (Some(broker), true) = (&broker, keeping.durable) {
        for warning in broker.warnings() {
            output.note(format!("nats-server: {warning}"));
        }
    }
    let started = tokio::select! {
        started = services::start(&connection, settings, keeping, proof) => started.map(Some),
        () = signals.first() => Ok(None),
    };
    let running = match started {
        Ok(Some(running)) => running,
        not_started => {
            // In order, so that what is stored stays as it is.
            connection.close(Duration::from_secs(2)).await;
            if let Some(broker) = broker {
                broker.stop().await?;
            }
            return not_started.map(|_| Exit::Interrupted);
        }
    };
    let mut serving = Serving { broker, connection, running, journals };
    let files = announce(&args, &serving, &target, context, output)?;

    let stopped = serving.until_stopped(&mut signals, output).await;
    drop(files);
    let ended = tokio::select! {
        biased;
        ended = serving.stop(args.drain_timeout, output) => ended,
        () = signals.second() => {
            output.note("stopped at once: what was in hand is delivered again");
            return Ok(Exit::Interrupted);
        }
    };
    stopped.and(ended)
}

/// Everything that serves, in the order in which it is stopped.
struct Serving {
    broker: Option<Brokers>,
    connection: Connection,
    running: Running,
    journals: PathBuf,
}

impl Serving {
    /// Returns when a signal came, or with an error when the broker is lost for good. A broker
    /// that ends unasked is started again on its port and store; clients reconnect by themselves.
    async fn until_stopped(
        &mut self,
        signals: &mut Signals,
        output: &Output,
    ) -> Result<Exit, CliError> {
        loop {
            let Some(broker) = &mut self.broker else {
                signals.first().await;
                return Ok(Exit::Success);
            };
            let (node, status) = tokio::select! {
                () = signals.first() => return Ok(Exit::Success),
                ended = broker.exited() => ended,
            };
            let url = broker.nodes()[node].url();
            output.note(format!("nats-server ended with {status}; starting it again on {url}"));
            for line in broker.nodes()[node].log_tail().iter().rev().take(5).rev() {
                output.note(format!("  nats-server: {line}"));
            }
            broker.restart(node).await?;
            output.note("nats-server serves again");
        }
    }

    async fn stop(self, limit: Duration, output: &Output) -> Result<Exit, CliError> {
        output.note("draining: finishing what is in hand");
        let report = self.running.drain(limit).await;
        if !report.complete {
            output.note(format!(
                "not everything was finished within {limit:?}; the rest is delivered again"
            ));
        }
        self.connection.close(Duration::from_secs(2)).await;
        if let Some(broker) = self.broker {
            broker.stop().await?;
        }
        output.note("stopped");
        Ok(Exit::Success)
    }
}

fn settings(args: &ServeArgs, context: &Context) -> Result<Settings, CliError> {
    let mut settings = match &args.settings {
        None => Settings::default(),
        Some(path) => {
            let failed = |e: String| CliError::usage(format!("--settings {}: {e}", path.display()));
            let text = std::fs::read_to_string(context.absolute(path))
                .map_err(|e| failed(e.to_string()))?;
            Settings::parse(&text).map_err(failed)?
        }
    };
    if let Some(workers) = args.workers {
        settings.set_workers(usize::from(workers));
    }
    if args.cluster.is_some() {
        settings.payment.replicas = settings.payment.replicas.max(REPLICAS);
    }
    // Rules of the command line come first: the first rule that matches counts.
    let gateway = rules("--gateway", &args.gateway)?;
    settings.payment.gateway.splice(0..0, gateway);
    let mailer = rules("--mailer", &args.mailer)?;
    settings.notification.mailer.splice(0..0, mailer);
    Ok(settings)
}

/// A rule is what stands between the braces of a TOML inline table.
fn rules<T: serde::de::DeserializeOwned>(flag: &str, given: &[String]) -> Result<Vec<T>, CliError> {
    #[derive(serde::Deserialize)]
    struct Wrapped<T> {
        rule: T,
    }
    given
        .iter()
        .map(|text| {
            toml::from_str::<Wrapped<T>>(&format!("rule = {{ {text} }}"))
                .map(|wrapped| wrapped.rule)
                .map_err(|e| CliError::usage(format!("{flag} {text:?}: {}", e.message())))
        })
        .collect()
}

fn refuse_broker_flags(args: &ServeArgs) -> Result<(), CliError> {
    let flag = match args {
        ServeArgs { port: Some(_), .. } => "--port",
        ServeArgs { store_dir: Some(_), .. } => "--store-dir",
        ServeArgs { cluster: Some(_), .. } => "--cluster",
        ServeArgs { auth: true, .. } => "--auth",
        ServeArgs { tls_cert: Some(_), .. } => "--tls-cert",
        _ => return Ok(()),
    };
    Err(CliError::usage(format!(
        "{flag} is for a broker that serve starts; with a server named (by --server, --context or NATS_URL) it starts none"
    )))
}

fn wanted(args: &ServeArgs, context: &Context) -> Result<Wanted, CliError> {
    Ok(Wanted {
        nodes: args.cluster.map_or(1, usize::from),
        port: args.port.map(|port| if port == 0 { Port::Any } else { Port::Fixed(port) }),
        store: match &args.store_dir {
            Some(folder) => Store::Folder(context.absolute(folder)),
            None => Store::Temporary,
        },
        auth: args.auth,
        tls: tls(args, context)?,
    })
}

/// The certificate, its key and its authority; each can be read.
fn tls(args: &ServeArgs, context: &Context) -> Result<Option<Tls>, CliError> {
    let file = |flag: &str, path: &PathBuf| {
        let path = context.absolute(path);
        let failed =
            |e: &dyn std::fmt::Display| CliError::usage(format!("{flag} {}: {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
        if !text.contains("-----BEGIN ") {
            return Err(failed(&"this is no PEM file"));
        }
        Ok(path)
    };
    let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    Ok(Some(Tls {
        cert: file("--tls-cert", cert)?,
        key: file("--tls-key", key)?,
        ca: args.tls_ca.as_ref().map(|ca| file("--tls-ca", ca)).transpose()?,
    }))
}

fn journal_dir(args: &ServeArgs, broker: Option<&Brokers>, context: &Context) -> PathBuf {
    match (&args.journal_dir, &args.store_dir, broker) {
        (Some(folder), _, _) => context.absolute(folder),
        (None, Some(store), _) => context.absolute(store).join("journals"),
        (None, None, Some(broker)) => broker.run_dir().join("journals"),
        // On an existing system every instance of this machine must see the same books.
        (None, None, None) => context.state_dir().join("journals"),
    }
}

/// Prints what serves and writes the files that others wait for; they go when serving ends.
fn announce(
    args: &ServeArgs,
    serving: &Serving,
    target: &Target,
    context: &Context,
    output: &Output,
) -> Result<Vec<RuntimeFile>, CliError> {
    let url = without_secrets(&target.url);
    for registered in serving.running.registered() {
        output.line(registered);
    }
    output.line("Starting Mono application...");
    let server = serving.connection.client().server_info();
    match &serving.broker {
        Some(broker) => {
            let kept =
                if args.store_dir.is_some() { "kept, synced on every write" } else { "temporary" };
            let store = broker.store_dir().display();
            let version = &server.version;
            match broker.nodes() {
                [_] => output.line(format!("nats-server {version} on {url}, store {store} ({kept})")),
                nodes => output.line(format!(
                    "cluster of {} nats-servers {version}, {REPLICAS} copies of each stream, on {url}, \
                     stores in {store} ({kept})",
                    nodes.len()
                )),
            }
        }
        None => {
            output.line(format!("existing NATS system {url}, nats-server {}", server.version));
            if server.version.parse::<Version>().is_ok_and(|version| !version.will_do()) {
                output.note(format!(
                    "warning: nats-server {} is older than {}, and older ones have known holes",
                    server.version,
                    Version::OLDEST
                ));
            }
        }
    }
    output.line(format!(
        "journals of the simulated gateway and mailer: {}",
        serving.journals.display()
    ));
    output.line(format!("export NATS_URL={url}"));
    let guarded = serving.broker.as_ref().filter(|_| args.auth || args.tls_cert.is_some());
    let contexts = guarded.map(|broker| {
        contexts::write_for_roles(broker.run_dir(), DESCRIPTION, |role| broker.target(role))
    });
    let contexts = contexts.transpose()?;
    if let Some(folder) = &contexts {
        let client = contexts::of_role(folder, Role::Client);
        output.line(format!(
            "credentials: {} (as in `mono-demo --context FILE`, `nats --context FILE`)",
            client.display()
        ));
    }

    let runtime = Runtime {
        url: url.clone(),
        pid: std::process::id(),
        name: serving.broker.as_ref().map_or(server.server_name, Brokers::names),
        journals: serving.journals.clone(),
        contexts,
    };
    let write = |path: PathBuf| {
        RuntimeFile::write(path, &runtime).map_err(|e| CliError::new(Exit::Infrastructure, e))
    };
    let mut files = Vec::new();
    if serving.broker.is_some() {
        files.push(write(runtime_file::path(context))?);
    }
    if let Some(path) = &args.ready_file {
        files.push(write(context.absolute(path))?);
    }
    if let Some(name) = &args.save_context {
        let path = contexts::path(name, context)?;
        let client = serving.broker.as_ref().map(|broker| broker.target(Role::Client));
        contexts::save(&path, DESCRIPTION, client.as_ref().unwrap_or(target))?;
        output.line(format!("NATS context {name}: {}", path.display()));
    }
    output.line(format!("Ready: {url}"));
    output.object(&json!({
        "ok": true,
        "url": url,
        "pid": runtime.pid,
        "name": runtime.name,
        "services": serving.running.registered().iter()
            .map(|r| (r.module.clone(), json!(r.subjects)))
            .collect::<serde_json::Map<_, _>>(),
    }));
    Ok(files)
}
