//! Files of a run.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::brokers::{Access, Brokers};
use super::machine::{Machine, ServiceContext};
use super::networks::Networks;
use super::values::{self, Ports};
use crate::broker::{Credentials, Role};
use crate::e2e::record::run::RunId;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::whole;
use crate::wire::context::NatsContext;

/// A new file that only this user can read.
pub(in crate::e2e) fn private_file(path: &Path) -> io::Result<File> {
    File::options().create(true).write(true).truncate(true).mode(0o600).open(path)
}

/// Writes what the services are told: their settings, and how they connect.
pub(in crate::e2e) fn of_services(
    brokers: &Brokers,
    networks: &Networks,
    fixture: &Fixture,
    ports: &Ports,
    seed: u64,
) -> io::Result<ServiceContext> {
    let folder = brokers.run_dir().join("services");
    let journal_dir: PathBuf = folder.join("journals");
    let dir: PathBuf = folder.join("dir");
    for folder in [&journal_dir, &dir] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let settings = folder.join("settings.toml");
    let text = toml::to_string(&fixture.services).map_err(io::Error::other)?;
    private_file(&settings)?.write_all(text.as_bytes())?;
    let Access { role, credentials: login, .. } = brokers.access(Role::Worker);
    let credentials = folder.join("worker.json");
    let mut context = NatsContext {
        description: "services under test".to_owned(),
        inbox_prefix: role.inbox_prefix().to_owned(),
        ..NatsContext::default()
    };
    if let Some(Credentials { user, password }) = login.clone() {
        (context.user, context.password) = (user, password);
    }
    whole::write(&credentials, context.text())?;
    let (url, networks) = (brokers.url().to_owned(), networks.service_urls(brokers));
    let variables = values::of_run(&url, login.as_ref(), &dir, ports);
    Ok(ServiceContext {
        url,
        networks,
        login,
        credentials,
        settings,
        journal_dir,
        dir,
        variables,
        seed,
    })
}

/// The file of this run's history: in the folder that keeps them, or in the run's own.
pub(in crate::e2e) fn history(
    machine: &Machine,
    run: &RunId,
    brokers: &Brokers,
) -> io::Result<(PathBuf, File)> {
    let path = match &machine.histories {
        Some(kept) => kept.file(run)?,
        None => brokers.run_dir().join("history.jsonl"),
    };
    let file = private_file(&path)?;
    Ok((path, file))
}
