//! What still stands once a run has come to its end: looked at, followed, stopped.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all, select_all},
};

use super::brokers::Brokers;
use super::brokers::BrokersError;
use super::files::private_file;
use super::lasting::Lasting;
use super::machine::ServiceContext;
use super::networks::Networks;
use super::secrets::Secrets;
use super::service_process::ServiceProcess;
use crate::broker::{Broker, Credentials, Fault, Role, What};
use crate::e2e::record::inventory::{BrokerAt, Inventory, NetworksAt, ServiceAt};
use crate::e2e::verdict::outcome::Stop;
use crate::mono::without_secrets;
use crate::process::{Child, Lines};

/// The broker with its store; of a run that stopped on its way also its services and networks.
///
/// [`stop`](Self::stop) and [`drain_and_stop`](Self::drain_and_stop) are its ends. Dropping it, or
/// dying, ends every process at once and removes the run's folder.
pub struct Standing {
    pub(in crate::e2e) brokers: Brokers,
    pub(in crate::e2e) networks: Networks,
    pub(in crate::e2e) services: Vec<ServiceProcess>,
    /// The last lines of services that have ended, each with its service's name.
    pub(in crate::e2e) last_lines: Vec<(String, String)>,
    pub(in crate::e2e) context: ServiceContext,
    pub(in crate::e2e) history: PathBuf,
    /// Faults by message, and how many messages each has hit.
    pub(in crate::e2e) message_faults: Vec<String>,
    /// What is broken and was not mended, with its name in the history.
    pub(in crate::e2e) broken: Vec<Lasting>,
    /// Where the services' lines go, once somebody wants them.
    service_log: Option<PathBuf>,
    /// Whose end was told: pids of services, and numbers of servers.
    told: (BTreeSet<u32>, BTreeSet<usize>),
}

impl Standing {
    /// The broker alone.
    pub(in crate::e2e) fn new(
        brokers: Brokers,
        networks: Networks,
        context: ServiceContext,
        history: PathBuf,
    ) -> Self {
        Self {
            brokers,
            networks,
            services: Vec::new(),
            last_lines: Vec::new(),
            message_faults: Vec::new(),
            context,
            history,
            broken: Vec::new(),
            service_log: None,
            told: Default::default(),
        }
    }

    /// What there is, and where. What has ended by now is told by that.
    pub fn inventory(&mut self) -> Inventory {
        let gone = self.services.iter().filter(|service| service.child.try_status().is_some());
        self.told.0.extend(gone.map(|service| service.child.pid()));
        let gone = self.brokers.nodes().iter().enumerate();
        let gone = gone.filter(|(_, node)| node.try_status().is_some());
        self.told.1.extend(gone.map(|(number, _)| number));
        let paused = |fault: &Fault| matches!(fault.what, What::PauseServices | What::PauseService);
        let (brokers, networks) = (&self.brokers, &self.networks);
        let journals = self.context.journal_dir.clone();
        let written = std::fs::read_dir(&journals).is_ok_and(|mut files| files.next().is_some());
        Inventory {
            url: without_secrets(brokers.url()),
            folder: brokers.run_dir().to_owned(),
            brokers: brokers.nodes().iter().map(broker_at).collect(),
            services: self.services.iter().map(|service| service_at(&service.child)).collect(),
            service_log: self.service_log.clone(),
            service_settings: self.context.settings.clone(),
            journals: written.then_some(journals),
            history: self.history.clone(),
            networks: NetworksAt {
                client: (!networks.client.is_empty()).then(|| networks.client_url(brokers)),
                services: {
                    let urls: Vec<String> = networks.service_urls(brokers).into_values().collect();
                    (!urls.is_empty()).then(|| urls.join(", "))
                },
            },
            broken: self.broken.iter().map(|lasting| lasting.name.clone()).collect(),
            message_faults: self.message_faults.clone(),
            services_paused: self.broken.iter().any(|lasting| paused(&lasting.fault)),
        }
    }

    /// What a program in this role shows the broker.
    pub fn credentials(&self, role: Role) -> Option<Credentials> {
        self.brokers.access(role).credentials
    }

    /// Writes the services' last lines to a file, and from now on each line as it comes: whoever asks
    /// them something can read what they say to it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn follow_services(&mut self) -> io::Result<()> {
        if self.services.is_empty() && self.last_lines.is_empty() {
            return Ok(());
        }
        let path = self.context.settings.with_file_name("services.log");
        let mut log = ServiceLog { file: private_file(&path)?, secrets: self.brokers.secrets() };
        for (name, line) in &self.last_lines {
            log.write(name, line)?;
        }
        for ServiceProcess { child, .. } in &self.services {
            let log = ServiceLog { file: log.file.try_clone()?, secrets: log.secrets.clone() };
            let name = format!("{}[{}]", child.name(), child.pid());
            tokio::spawn(log.follow(child.stderr_lines(), name));
        }
        self.service_log = Some(path);
        Ok(())
    }

    /// Waits until something ends that nobody has stopped; says what, and how. Each end is told once.
    pub async fn ended(&mut self) -> String {
        let (services, nodes) = &mut self.told;
        let mut ends: Vec<BoxFuture<'_, (String, Whose)>> = Vec::new();
        for ServiceProcess { child, .. } in &self.services {
            let (pid, name) = (child.pid(), child.name());
            if !services.contains(&pid) {
                let end = child.wait().map(move |status| {
                    (format!("{name} (pid {pid}) ended with {status}"), Whose::Service(pid))
                });
                ends.push(end.boxed());
            }
        }
        for (number, node) in self.brokers.nodes().iter().enumerate() {
            if !nodes.contains(&number) {
                let end = node.exited().map(move |status| {
                    let told = format!("nats-server on {} ended with {status}", node.url());
                    (told, Whose::Broker(number))
                });
                ends.push(end.boxed());
            }
        }
        if ends.is_empty() {
            return std::future::pending().await;
        }
        let ((told, whose), ..) = select_all(ends).await;
        match whose {
            Whose::Service(pid) => services.insert(pid),
            Whose::Broker(number) => nodes.insert(number),
        };
        told
    }

    /// Ends the services at once, then stops the broker and removes the run's folder.
    ///
    /// # Errors
    /// Why the broker did not stop, or what is left of it.
    pub async fn stop(self) -> Result<(), StandingError> {
        for ServiceProcess { child, .. } in self.services {
            let _ = child.kill().await;
            child.close().await;
        }
        self.networks.stop().await;
        Ok(self.brokers.stop().await?)
    }

    /// The same, but each service gets SIGTERM first and may drain.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn drain_and_stop(mut self) -> Result<(), StandingError> {
        let services = std::mem::take(&mut self.services);
        join_all(services.into_iter().map(|ServiceProcess { child, stop_within }| async move {
            // One that does not heed it is killed: nobody asks any more how it ends.
            let _ = child.stop(stop_within).await;
            child.close().await;
        }))
        .await;
        self.stop().await
    }
}

/// Why what stood could not be stopped in order.
#[derive(Debug, thiserror::Error)]
#[error("cannot stop the broker: {0}")]
pub struct StandingError(#[from] BrokersError);

impl From<StandingError> for Stop {
    fn from(error: StandingError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Whose end it is.
enum Whose {
    Service(u32),
    Broker(usize),
}

fn broker_at(node: &Broker) -> BrokerAt {
    BrokerAt {
        url: node.url().to_owned(),
        store: node.store_dir().to_owned(),
        log: node.log_path().to_owned(),
        ended: node.try_status().map(|status| status.to_string()),
    }
}

fn service_at(child: &Child) -> ServiceAt {
    ServiceAt {
        name: child.name().to_owned(),
        pid: child.pid(),
        ended: child.try_status().map(|status| status.to_string()),
    }
}

/// Where the services' lines go, each after its service's name.
struct ServiceLog {
    file: File,
    /// A service may print what it was given.
    secrets: Secrets,
}

impl ServiceLog {
    fn write(&mut self, name: &str, line: &str) -> io::Result<()> {
        let text = self.secrets.out_of_text(format!("{name}: {line}\n"));
        self.file.write_all(text.as_bytes())
    }

    /// Until the process has ended, or the file cannot be written: then there is one log less.
    async fn follow(mut self, mut lines: Lines, name: String) {
        while let Some(line) = lines.next().await {
            if self.write(&name, &line).is_err() {
                return;
            }
        }
    }
}
