//! Broken on purpose, and put on record.

use std::time::Duration;

use crate::broker::{Fault, Faults, Side, What};
use crate::e2e::driver;
use crate::e2e::record::history::event::Phase;
use crate::e2e::run::stage::world::World;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::Outcome;

/// How long the client may take to find a broker again that is back.
const RECONNECT: Duration = Duration::from_secs(15);
impl World {
    /// Breaks or mends something, where a load says so once `due` submissions are acknowledged;
    /// returns once the break has happened and what must be back is back. Says what has happened.
    pub(in crate::e2e) async fn fault(
        &mut self,
        fault: &Fault,
        due: Option<u32>,
    ) -> Result<String, Stop> {
        let (seed, injected) = (self.machine().seed, self.schedule.len() as u64);
        self.services.only(fault.service.as_deref());
        let leaders = self.machine().leaders.clone();
        let mut faults = Faults::new(self.brokers.servers(&leaders), seed)
            .network(Side::Client, &self.networks.client)
            .network(Side::Services, &self.networks.services)
            .services(&mut self.services)
            .after(injected);
        let mut name = faults.drawn(fault);
        if let Some(due) = due {
            name.push_str(&format!(" at {due}"));
        }
        self.schedule.push(name.clone());
        let mends = fault.what.mends();
        if !mends {
            self.recorder.fault(&name, Phase::Begin);
        }
        let done = faults.inject(fault).await;
        self.services.all_in_view();
        let done = done.map_err(|error| Stop::broken(&fault.to_string(), error))?;
        if mends {
            let recorder = self.recorder.clone();
            self.broken.retain(|(broken, name)| {
                let mended = fault.mends(broken);
                if mended {
                    recorder.fault(name, Phase::End);
                }
                !mended
            });
        } else if fault.what.mended_by().is_some() && fault.lasts.is_none() {
            self.broken.push((fault.clone(), name));
        } else {
            self.recorder.fault(&name, Phase::End);
        }
        if cuts_the_client_off(fault) {
            self.reconnected(fault).await?;
        }
        Ok(done)
    }

    /// Waits until the client's own connection carries messages again: what a step then says is
    /// about the services, not about how fast a client library reconnects.
    async fn reconnected(&self, fault: &Fault) -> Result<(), Stop> {
        let attempts = async {
            loop {
                match self.driver.perform(driver::barrier()).await {
                    Ok(Outcome::Ok(_) | Outcome::Skip(_)) => return Ok(()),
                    // A driver has no word for "connected again": it is asked until it works.
                    Ok(Outcome::Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(fault) => return Err(Stop::broken("the driver after a fault", fault)),
                }
            }
        };
        let late = || format!("{fault}: the client did not reconnect within {RECONNECT:?}");
        tokio::time::timeout(RECONNECT, attempts).await.map_err(|_| Stop::Broken(late()))?
    }
}

/// Whether the client's connection may be gone, and a new one can be had.
fn cuts_the_client_off(fault: &Fault) -> bool {
    match fault.what {
        What::KillBroker
        | What::RestartBroker
        | What::LameDuck
        | What::KillLeader
        | What::StopLeader
        | What::KillNode(_)
        | What::LoseQuorum
        | What::Heal
        | What::Cut
        | What::HealNetwork => true,
        what => what.is_of_a_network() && fault.lasts.is_some(),
    }
}
