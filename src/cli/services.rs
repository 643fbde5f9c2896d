//! The built-in modules, made from settings: the one place that knows all three.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde::Deserialize;

use super::exit::{CliError, Exit};
use crate::modules::journal::Journal;
use crate::modules::{math, notification, payment};
use crate::mono::{App, Connection, Running};

/// Settings of the modules: a table each, as in `[payment]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub math: math::Settings,
    pub notification: notification::Settings,
    pub payment: payment::Settings,
}

impl Settings {
    /// Reads TOML.
    ///
    /// # Errors
    /// The parser's words, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
    }

    /// The same number of workers for each module.
    pub fn set_workers(&mut self, workers: usize) {
        self.math.workers = workers;
        self.notification.workers = workers;
        self.payment.workers = workers;
    }
}

/// Starts the modules on a connection; their journals are files in `journals`.
pub async fn start(
    connection: &Connection,
    settings: Settings,
    journals: &Path,
    durable: bool,
    sabotage: Option<payment::Sabotage>,
) -> Result<Running, CliError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(journals).map_err(|e| {
        CliError::infrastructure(&format!("make the journal folder {}", journals.display()), e)
    })?;
    let journal = |name: &str| {
        Journal::open(journals.join(name), durable)
            .map_err(|e| CliError::new(Exit::Infrastructure, e))
    };
    let mailer = notification::Mailer::new(settings.notification.mailer, journal("mailer.jsonl")?);
    let ledger = payment::Ledger::new(connection.clone(), settings.payment.replicas);
    let gateway = payment::Gateway::new(
        settings.payment.gateway.clone(),
        settings.payment.chance,
        journal("gateway.jsonl")?,
    );
    let crash = payment::CrashPoints::new(settings.payment.crash.clone(), || {
        Journal::open(journals.join("crashes.jsonl"), durable)
    })
    .map_err(|e| CliError::new(Exit::Infrastructure, e))?;
    App::new()
        .module(math::MathModule::new(settings.math))
        .module(notification::NotificationModule::new(settings.notification.workers, mailer))
        .module(
            payment::PaymentModule::new(settings.payment, ledger, gateway)
                .crashing_at(crash)
                .sabotaged(sabotage),
        )
        .start(connection.clone())
        .await
        .map_err(|e| CliError::new(Exit::Infrastructure, e))
}
