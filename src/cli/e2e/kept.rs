//! `--keep`: prints what is kept running and how to connect to it, and waits until Ctrl-C.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::broker::Role;
use crate::cli::connect::as_role;
use crate::cli::contexts;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::shell::word;
use crate::cli::signals::Signals;
use crate::e2e::record::Inventory;
use crate::e2e::record::Place;
use crate::e2e::session::LeftUp;
use crate::e2e::verdict::event::{Summary, Verdict};
use crate::process::clean;

const AS_HARNESS: &str = "as harness, who may do everything:";

/// A run that is kept, with the files for connecting to it.
pub(super) struct Kept {
    left_up: LeftUp,
    inventory: Inventory,
    /// The services are the built-in ones.
    built_in: bool,
    /// A NATS context for each role.
    contexts: PathBuf,
    /// What a service's environment says, for a shell.
    environment: PathBuf,
}

impl Kept {
    /// Writes the files, into the run's private folder.
    ///
    /// # Errors
    /// One cannot be written; then nothing is left up.
    pub(super) fn new(mut left_up: LeftUp, built_in: bool) -> Result<Self, CliError> {
        left_up.follow_services().map_err(|e| CliError::infrastructure("log the services", e))?;
        let inventory = left_up.inventory();
        let target = |role| as_role(&inventory.url, role, left_up.credentials(role).as_ref());
        let contexts =
            contexts::write_for_roles(&inventory.folder, "mono-demo e2e --keep", target)?;
        let environment = contexts.join("worker.env");
        contexts::save_environment(&environment, &target(Role::Worker))?;
        Ok(Self { left_up, inventory, built_in, contexts, environment })
    }

    /// For machines.
    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "run": self.left_up.run,
            "contexts": {
                "client": self.context(Role::Client),
                "worker": self.context(Role::Worker),
                "harness": self.context(Role::Harness),
            },
            "worker_environment": self.environment,
        });
        // Two plain objects beside it: how it ended, and what there is.
        for part in [json!(self.left_up.verdict), json!(self.inventory)] {
            if let (Value::Object(all), Value::Object(part)) = (&mut object, part) {
                all.extend(part);
            }
        }
        object
    }

    /// For people, as lines that can be pasted.
    pub(super) fn tell(&self, output: &Output) {
        output.line(format!(
            "\nkept: {}, {}",
            self.left_up.run,
            clean(&ended(&self.left_up.verdict))
        ));
        for (name, value) in self.facts() {
            output.line(format!("  {name:<13} {value}"));
        }
        for (heading, commands) in self.commands() {
            output.line(heading);
            commands.iter().for_each(|command| output.line(format!("  {command}")));
        }
        output.line(format!("Ctrl-C stops it and removes {}", self.inventory.folder.display()));
    }

    /// Waits for Ctrl-C or SIGTERM and stops everything in order; what ends by itself meanwhile is
    /// told. A second Ctrl-C ends at once.
    ///
    /// # Errors
    /// Something did not stop.
    pub(super) async fn until_stopped(
        mut self,
        signals: &mut Signals,
        output: &Output,
    ) -> Result<Option<Exit>, CliError> {
        loop {
            tokio::select! {
                () = signals.first() => break,
                told = self.left_up.ended() => output.note(told),
            }
        }
        output.note("stopping");
        tokio::select! {
            biased;
            stopped = self.left_up.stop() => {
                stopped.map_err(|e| CliError::new(Exit::Infrastructure, e))?;
                output.note("stopped");
                Ok(None)
            }
            () = signals.second() => {
                output.note("stopped at once");
                Ok(Some(Exit::Interrupted))
            }
        }
    }

    /// Stops it at once.
    ///
    /// # Errors
    /// Something did not stop.
    pub(super) async fn stopped(self) -> Result<(), CliError> {
        self.left_up.stop().await.map_err(|e| CliError::new(Exit::Infrastructure, e))
    }

    fn context(&self, role: Role) -> PathBuf {
        contexts::of_role(&self.contexts, role)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let all = &self.inventory;
        let of_a_file = |path: &PathBuf| path.display().to_string();
        let mut facts = Vec::new();
        for broker in &all.brokers {
            facts.push(("broker", with_end(broker.url.clone(), broker.ended.as_ref())));
            facts.push(("store", of_a_file(&broker.store)));
            facts.push(("log", of_a_file(&broker.log)));
        }
        let networks =
            [("client via", &all.networks.client), ("services via", &all.networks.services)];
        facts.extend(networks.into_iter().filter_map(|(side, url)| Some((side, url.clone()?))));
        for service in &all.services {
            let shown = format!("{} (pid {})", service.name, service.pid);
            facts.push(("service", with_end(shown, service.ended.as_ref())));
        }
        if all.services.is_empty() {
            facts.push(("services", "none runs".to_owned()));
        }
        facts.extend(all.service_log.iter().map(|path| ("services' log", of_a_file(path))));
        facts.extend(all.journals.iter().map(|path| ("journals", of_a_file(path))));
        facts.push(("history", of_a_file(&all.history)));
        facts.extend(all.message_faults.iter().map(|fault| ("fault", fault.clone())));
        facts.extend(all.broken.iter().map(|fault| ("still broken", fault.clone())));
        facts
    }

    /// What can be pasted, each under what it is for.
    fn commands(&self) -> Vec<(&'static str, Vec<String>)> {
        let commands = if self.built_in { self.of_built_in() } else { self.of_own() };
        let paused = self.inventory.services_paused.then(|| {
            // With whatever each has started.
            let groups = self.inventory.services.iter().map(|service| format!(" -{}", service.pid));
            let wake = format!("kill -CONT{}", groups.collect::<String>());
            ("to resume paused services, and what waits for them:", vec![wake])
        });
        paused.into_iter().chain(commands).collect()
    }

    fn of_built_in(&self) -> Vec<(&'static str, Vec<String>)> {
        let all = &self.inventory;
        let journals =
            all.journals.iter().map(|path| format!("--journal-dir {}", word(path.display())));
        let journals = journals.collect::<String>();
        let harness = vec![
            self.with_context("mono-demo", Role::Harness, "dlq ls"),
            self.with_context("mono-demo", Role::Harness, format!("audit {journals}").trim()),
            self.with_context("nats", Role::Harness, "stream ls"),
        ];
        let mut commands = vec![(AS_HARNESS, harness)];
        let none_runs = all.services.iter().all(|service| service.ended.is_some());
        if none_runs {
            let settings = word(all.service_settings.display());
            let serve = format!("serve --settings {settings} {journals}");
            let serve = self.with_context("mono-demo", Role::Worker, serve.trim());
            commands.push(("as worker, to start services again:", vec![serve]));
        }
        let request = r#"request services.math.calculate '{"operation": "add", "a": 10, "b": 5}'"#;
        let client = vec![
            self.with_context("mono-demo", Role::Client, "call math add 10 5"),
            self.with_context("nats", Role::Client, request),
        ];
        let heading = match none_runs {
            true => "as client, once there are services:",
            false => "as client, who may ask services:",
        };
        commands.push((heading, client));
        commands
    }

    /// Nobody knows the subjects of a suite of one's own, nor how its services are started by hand.
    fn of_own(&self) -> Vec<(&'static str, Vec<String>)> {
        let names = "call '$JS.API.STREAM.NAMES' --data ''";
        let harness = vec![
            self.with_context("mono-demo", Role::Harness, names),
            self.with_context("nats", Role::Harness, "stream ls"),
        ];
        let client = format!("export NATS_CONTEXT={}", word(self.context(Role::Client).display()));
        vec![
            (AS_HARNESS, harness),
            ("as client, for each `mono-demo` and `nats` of a shell:", vec![client]),
            (
                "as a service, for each that is started in a shell:",
                vec![format!(". {}", word(self.environment.display()))],
            ),
        ]
    }

    fn with_context(&self, program: &str, role: Role, rest: &str) -> String {
        format!("{program} --context {} {rest}", word(self.context(role).display()))
    }
}

/// Why nothing is left up, in one line.
pub(super) fn nothing(summary: &Summary) -> &'static str {
    if summary.failed + summary.broken > 0 {
        return "nothing is kept: the run that did not pass never started a broker";
    }
    match summary.passed {
        0 => "nothing is kept: nothing was run",
        _ => {
            "nothing is kept: every run passed; one that passes is kept if it is chosen alone, by name \
             and --client"
        }
    }
}

/// How it ended, in a few words.
fn ended(verdict: &Verdict) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match verdict {
        Verdict::Failed(failure) => {
            let place =
                failure.place.as_ref().map(|Place { file, line, .. }| format!(" at {file}:{line}"));
            format!("failed{}: {}", place.unwrap_or_default(), first_line(&failure.message))
        }
        Verdict::Broken { reason } => format!("broken: {}", first_line(reason)),
        _ => "passed".to_owned(),
    }
}

fn with_end(shown: String, ended: Option<&String>) -> String {
    ended.map_or(shown.clone(), |status| format!("{shown}, ended with {status}"))
}
