//! Starts what a fixture asks for: the brokers of a run, and the driver of its client.

use std::sync::Arc;

use super::brokers::{Access, Brokers};
use super::machine::{Client, Machine};
use crate::broker;
use crate::broker::Role;
use crate::e2e::driver;
use crate::e2e::driver::Driver;
use crate::e2e::driver::pipe::PipeDriver;
use crate::e2e::driver::rust::RustDriver;
use crate::e2e::record::run::RunId;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::inside;
use crate::e2e::verdict::outcome::Stop;

/// The brokers of a run: its own, or one that somebody else runs.
pub(super) async fn brokers(
    machine: &Machine,
    fixture: &Fixture,
    trace: &str,
    monitoring: bool,
) -> Result<Brokers, Stop> {
    let failed = |why: &dyn std::fmt::Display| Stop::broken("cannot start the broker", why);
    let asked = &fixture.broker;
    if let Some(broker) = asked.url.clone() {
        let folder = machine.reaper.private_folder(&machine.run_root, "mono-demo-");
        let folder = folder.map_err(|why| Stop::broken("cannot make the run's folder", why))?;
        return Ok(Brokers::elsewhere(broker, folder));
    }
    let server = machine.server.clone().map_err(|why| failed(&why))?;
    let mut settings = broker::Settings::new(server, machine.reaper.clone());
    settings.run_root = Some(machine.run_root.clone());
    settings.max_payload = asked.max_payload;
    let mut roles = machine.roles.clone();
    if asked.open {
        roles.unnamed = Some(Role::Worker);
    }
    settings.auth = Some(broker::Auth::Roles(roles));
    // Behind proxies, the fixed port is theirs.
    let fixed = asked.port.filter(|_| !fixture.proxy.services);
    settings.port = fixed.map_or(broker::Port::Any, broker::Port::Fixed);
    if let Some(file) = &asked.config {
        let path = machine.root.join(file);
        let read = inside::read_text(&machine.root, &path);
        let why = |error| format!("`config` of `broker` names {file}, which {error}");
        read.map_err(|error| failed(&why(error)))?;
        settings.include = Some(path);
    }
    // Else a lame duck waits 10 s before it sends its clients away. Where clients share an account with
    // services, what they are answered is read in the trace.
    settings.extra_config = format!("lame_duck_grace_period: \"200ms\"\n{trace}");
    settings.monitoring = monitoring;
    Brokers::start(settings, fixture).await.map_err(|error| failed(&error))
}

/// The driver of a client, which has greeted the broker.
pub(super) async fn driver(
    machine: &Machine,
    run: &RunId,
    client: &Client,
    access: &Access,
) -> Result<Arc<dyn Driver>, driver::DriverFault> {
    let driver: Arc<dyn Driver> = match client {
        Client::InProcess(typed) | Client::Command { raw: typed, .. } => {
            Arc::new(RustDriver::new(typed.clone()))
        }
        Client::Program(spawn) => {
            let spawn = spawn.as_ref().clone();
            Arc::new(PipeDriver::start(&run.client, &machine.reaper, spawn).await?)
        }
        Client::Unavailable(reason) => return Err(driver::DriverFault::Start(reason.clone())),
    };
    let credentials = access.credentials.as_ref();
    let greeted = driver::hello(driver.as_ref(), &access.url, credentials, machine.seed).await;
    if let Err(fault) = greeted {
        // It is gone before the run is; that it does not end well is no news.
        let _ = driver.close().await;
        return Err(fault);
    }
    Ok(driver)
}
