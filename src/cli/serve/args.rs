//! The flags of `serve`, and what they ask for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::broker::{Port, Role, Store, Tls};
use crate::cli::brokers::{Brokers, Wanted};
use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::cli::global::{duration, whole};
use crate::cli::services::{REPLICAS, Settings};
use crate::given::{no_byte_order_mark, read_given, read_given_text};
use crate::modules::bounded::WORKERS;
use crate::modules::payment::Sabotage;
use crate::tls::pem;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = SETTINGS_HELP)]
pub struct ServeArgs {
    /// Port of the broker; 0 is a temporary port [default: 4222 if it is free, else 0].
    #[arg(long, value_name = "PORT", value_parser = whole::<u16>(0..=65535))]
    pub(super) port: Option<u16>,
    /// Start a cluster of N servers, which replicate the streams to each other; their ports count
    /// up from --port.
    #[arg(long, value_name = "N", value_parser = whole::<u16>(3..=5))]
    pub(super) cluster: Option<u16>,
    /// Keep the streams in this folder, every write synced to disk [default: a private temporary one].
    #[arg(long, value_name = "DIR")]
    pub(super) store_dir: Option<PathBuf>,
    /// Require a login: three users with random passwords, which are written to private files; with
    /// --store-dir they stay the same.
    #[arg(long)]
    pub(super) auth: bool,
    /// Add a client beside `client`, with its own password and context file NAME.json; may be given
    /// several times. No client can read the replies to another one.
    #[arg(long, value_name = "NAME", requires = "auth", value_parser = client_name)]
    pub(super) client: Vec<String>,
    /// Accept TLS only, with this certificate for 127.0.0.1 (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// The authority that signed the certificate, for clients to trust [default: the system's
    /// authorities].
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_ca: Option<PathBuf>,
    /// Create lost streams again, and continue with what is left of damaged ones [default: refuse
    /// to start].
    #[arg(long)]
    pub(super) recreate: bool,
    /// Workers of each service in this process.
    #[arg(long, value_name = "N", value_parser = whole::<u16>(WORKERS))]
    pub(super) workers: Option<u16>,
    /// A rule of the simulated gateway, as 'id = "pay-7", fail_times = 2'; may be given several times.
    #[arg(long, value_name = "RULE")]
    pub(super) gateway: Vec<String>,
    /// A rule of the simulated mailer, as 'to = "bad@example.com", fail = true'.
    #[arg(long, value_name = "RULE")]
    pub(super) mailer: Vec<String>,
    /// Settings of the services, a TOML file with the tables math, notification and payment.
    #[arg(long, value_name = "FILE")]
    pub(super) settings: Option<PathBuf>,
    /// Folder of the journals of the simulated gateway and mailer [default: beside the streams; on
    /// an existing system the folder of your `serve` that runs it, else one of your folders per
    /// system].
    #[arg(long, value_name = "DIR")]
    pub(super) journal_dir: Option<PathBuf>,
    /// Write {"url", "pid", "name"} to this file when everything serves; it is removed at the end.
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
    /// Save a NATS context of this name for `nats --context NAME`.
    #[arg(long, value_name = "NAME")]
    pub(super) save_context: Option<String>,
    /// How long to finish messages and requests in progress after Ctrl-C or SIGTERM; a second
    /// Ctrl-C exits at once.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) drain_timeout: Duration,
    /// Break promises on purpose, to show that the checks detect it.
    #[arg(long, hide = true)]
    pub(super) sabotage: Option<Sabotage>,
    /// Record each message that a worker begins, in `deliveries.jsonl` beside the other journals.
    #[arg(long, hide = true)]
    pub(super) note_deliveries: bool,
    /// Do not let other commands find this `serve`: it serves a scenario.
    #[arg(long, hide = true)]
    pub(super) unlisted: bool,
    /// End, as by SIGTERM, when the process that started this one ends: this one (Linux).
    #[arg(long, hide = true, value_name = "PID")]
    pub(super) ends_with: Option<u32>,
}

const SETTINGS_HELP: &str = "\
A script waits until everything serves with --ready-file FILE, or for the line `Ready: URL`.

Settings, as --settings FILE (each may be left out):
  [math]          workers = 1
  [notification]  workers = 1, mailer = [{ to = \"bad@example.com\", fail = true, delay = \"50ms\" }]
  [payment]       workers = 1, concurrency = 256, ack_wait = \"5s\", max_deliver = 5, backoff = [\"100ms\", \"1s\"],
                  gateway_timeout = \"10s\", handle_limit = \"5m\", replicas = 1,
                  gateway = [{ id = \"pay-7\", fail_times = 2 },
                             { amount = \"13.13\", outcome = \"decline\", reason = \"stolen card\" },
                             { id = \"pay-8\", delay = \"2s\" }, { id = \"pay-9\", outcome = \"hang\" }],
                  chance = { seed = 7, decline_percent = 5, unavailable_percent = 10 }
A payment that no rule matches is approved. A handle_limit below gateway_timeout plus one minute is
raised to that, with a warning.";

impl ServeArgs {
    /// The services' settings: the file's, and what other flags say.
    pub(super) fn settings(&self, context: &Context) -> Result<Settings, CliError> {
        let mut settings = match &self.settings {
            None => Settings::default(),
            Some(path) => {
                let failed = |e: String| {
                    let message = format!("--settings {}: {e}", path.display());
                    CliError::usage(message).about(&["settings"])
                };
                let text =
                    read_given_text(&context.absolute(path)).map_err(|e| failed(e.to_string()))?;
                Settings::parse(&text).map_err(failed)?
            }
        };
        if let Some(workers) = self.workers {
            settings.set_workers(usize::from(workers));
        }
        if self.cluster.is_some() {
            settings.payment.replicas = settings.payment.replicas.max(REPLICAS);
        }
        // Rules of the command line come first: the first rule that matches counts.
        let gateway =
            rules("--gateway", &self.gateway).map_err(|error| error.about(&["gateway"]))?;
        settings.payment.gateway.splice(0..0, gateway);
        let mailer = rules("--mailer", &self.mailer).map_err(|error| error.about(&["mailer"]))?;
        settings.notification.mailer.splice(0..0, mailer);
        Ok(settings)
    }

    /// For a broker that is there already.
    pub(super) fn refuse_broker_flags(&self) -> Result<(), CliError> {
        let flag = match self {
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

    /// The broker to start.
    pub(super) fn wanted(&self, context: &Context) -> Result<Wanted, CliError> {
        Ok(Wanted {
            nodes: self.cluster.map_or(1, usize::from),
            port: self.port.map(|port| if port == 0 { Port::Any } else { Port::Fixed(port) }),
            store: match &self.store_dir {
                Some(folder) => Store::Folder(context.absolute(folder)),
                None => Store::Temporary,
            },
            auth: self.auth,
            clients: self.client.clone(),
            tls: self.tls(context)?,
        })
    }

    /// The certificate, its key and its authority: each can be used, and the first two together.
    fn tls(&self, context: &Context) -> Result<Option<Tls>, CliError> {
        self.usable_tls(context).map_err(|error| error.about(&["tls-cert", "tls-key", "tls-ca"]))
    }

    fn usable_tls(&self, context: &Context) -> Result<Option<Tls>, CliError> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let (cert, key) = (context.absolute(cert), context.absolute(key));
        let ca = self.tls_ca.as_ref().map(|ca| context.absolute(ca));
        let chain = used("--tls-cert", &cert, pem::certificates)?;
        let own_key = used("--tls-key", &key, |text| pem::key(&key, text))?;
        if let Some(ca) = &ca {
            used("--tls-ca", ca, pem::certificates)?;
        }
        if let Err(why) = pem::belong_together(chain, own_key) {
            return Err(CliError::usage(format!(
                "--tls-cert {} with --tls-key {}: {why}",
                cert.display(),
                key.display()
            )));
        }
        Ok(Some(Tls { cert, key, ca }))
    }

    /// Where the simulated gateway and mailer keep their journals; on an existing system that is not
    /// said by flags alone.
    pub(super) fn journal_dir(
        &self,
        broker: Option<&Brokers>,
        context: &Context,
    ) -> Option<PathBuf> {
        match (&self.journal_dir, &self.store_dir) {
            (Some(folder), _) => Some(context.absolute(folder)),
            (None, Some(store)) => Some(context.absolute(store).join("journals")),
            (None, None) => broker.map(|broker| broker.run_dir().join("journals")),
        }
    }
}

/// What a file of PEM holds, which nats-server reads too.
fn used<T>(
    flag: &str,
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, CliError> {
    let failed =
        |e: &dyn std::fmt::Display| CliError::usage(format!("{flag} {}: {e}", path.display()));
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(&"it is not a file: nats-server reads it at each start"));
    }
    let text = read_given(path).map_err(|e| failed(&e))?;
    no_byte_order_mark(&text).map_err(|e| failed(&e))?;
    read(&text).map_err(|e| failed(&e))
}

/// A client's name is a user's, an account's and a file's.
fn client_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match Role::of_user(text) {
        Some(_) => Err("there is a user of this name already".to_owned()),
        None if (1..=64).contains(&text.len()) && text.chars().all(good) => Ok(text.to_owned()),
        None => Err("a client's name is 1 to 64 of a-z, 0-9 and -".to_owned()),
    }
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
            if text.trim().is_empty() {
                return Err(CliError::usage(format!(
                    "{flag} {text:?}: an empty rule says nothing"
                )));
            }
            let table = format!("rule = {{ {text} }}").parse::<toml::Table>().map_err(|_| {
                let form = "NAME = VALUE, with commas between several and texts in quotes";
                CliError::usage(format!("{flag} {text:?}: this is no rule: expected {form}"))
                    .hint("`mono-demo serve --help` has examples")
            })?;
            let wrapped: Result<Wrapped<T>, _> = table.try_into();
            wrapped
                .map(|wrapped| wrapped.rule)
                .map_err(|e| CliError::usage(format!("{flag} {text:?}: {}", e.message())))
        })
        .collect()
}
