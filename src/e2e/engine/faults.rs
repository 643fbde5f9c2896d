//! Broken on purpose: each fault returns once the break has happened and what must be back is back.

use std::time::Duration;

use super::{
    Stop,
    world::{DRAIN, World},
};
use crate::{
    broker,
    e2e::{fixture::Fault, history::Phase},
    process::Signal,
    wire::driver::{Op, Outcome},
};

/// How long the client may take to find a broker again that is back.
const RECONNECT: Duration = Duration::from_secs(15);
/// How much longer a slow network takes, each way.
const DELAY: Duration = Duration::from_millis(50);
/// Published to by the client to prove that its connection works.
const BARRIER: &str = "_INBOX.barrier.reconnected";

impl World {
    /// Breaks something; says what has happened.
    pub(super) async fn fault(&mut self, fault: Fault) -> Result<&'static str, Stop> {
        self.recorder.fault(fault.word(), Phase::Begin);
        let done = self.break_and_mend(fault).await?;
        self.recorder.fault(fault.word(), Phase::End);
        Ok(done)
    }

    async fn break_and_mend(&mut self, fault: Fault) -> Result<&'static str, Stop> {
        let broken = |error: &dyn std::fmt::Display| Stop::broken(fault.word(), error);
        match fault {
            Fault::KillBroker
            | Fault::RestartBroker
            | Fault::PauseBroker
            | Fault::ResumeBroker
            | Fault::KillLeader
            | Fault::StopLeader
            | Fault::LoseQuorum
            | Fault::Heal => {
                let done = self.brokers.fault(fault).await.map_err(|e| broken(&e))?;
                if !matches!(fault, Fault::PauseBroker | Fault::ResumeBroker) {
                    self.reconnected(fault).await?;
                }
                Ok(done)
            }
            Fault::Delay | Fault::Cut | Fault::BlackHole | Fault::HalfOpen | Fault::HealNetwork => {
                self.network(fault).await
            }
            Fault::KillServices => {
                for services in std::mem::take(&mut self.services) {
                    services.kill().await.map_err(|e| broken(&e))?;
                    self.keep_log(services).await;
                }
                self.start_services().await?;
                Ok("killed, and ready again")
            }
            Fault::KillService => {
                // The oldest: each has its turn.
                if !self.services.is_empty() {
                    let services = self.services.remove(0);
                    services.kill().await.map_err(|e| broken(&e))?;
                    self.keep_log(services).await;
                }
                self.start_services().await?;
                Ok("one of them killed, and ready again")
            }
            Fault::StopServices => {
                for services in std::mem::take(&mut self.services) {
                    services.stop(DRAIN).await.map_err(|e| broken(&e))?;
                    self.keep_log(services).await;
                }
                Ok("stopped")
            }
            Fault::StartServices => {
                self.start_services().await?;
                Ok("ready")
            }
            Fault::PauseServices => {
                self.signal_services(Signal::Stop, fault).await?;
                Ok("paused")
            }
            Fault::ResumeServices => {
                self.signal_services(Signal::Cont, fault).await?;
                Ok("go on")
            }
        }
    }

    /// Makes the client's network bad, or good again.
    async fn network(&self, fault: Fault) -> Result<&'static str, Stop> {
        let Some(proxy) = &self.proxy else {
            return Err(Stop::Broken(format!("{}: no client is behind a proxy", fault.word())));
        };
        match fault {
            Fault::Delay => {
                proxy.delay(DELAY);
                Ok("every byte takes 50 ms longer, each way")
            }
            Fault::Cut => {
                let before = proxy.counts();
                proxy.cut(broker::Cut::Reset);
                if before.open > 0 {
                    let cut = proxy.until(|now| now.cut > before.cut || now.open == 0);
                    let late = |_| Stop::Broken(format!("cut: nothing was cut in {RECONNECT:?}"));
                    tokio::time::timeout(RECONNECT, cut).await.map_err(late)?;
                }
                self.reconnected(fault).await?;
                Ok("the connection is reset, and there is a new one")
            }
            Fault::BlackHole => {
                proxy.black_hole();
                Ok("nothing arrives, either way")
            }
            Fault::HalfOpen => {
                proxy.half_open(broker::Direction::ToClient);
                Ok("what the client sends arrives, and nothing comes back")
            }
            _ => {
                proxy.heal();
                self.reconnected(fault).await?;
                Ok("all arrives again")
            }
        }
    }

    async fn signal_services(&self, signal: Signal, fault: Fault) -> Result<(), Stop> {
        if self.services.is_empty() {
            return Err(Stop::Broken(format!("{}: no services run", fault.word())));
        }
        for services in &self.services {
            let signalled = services.signal(signal).await;
            signalled.map_err(|error| Stop::broken(fault.word(), error))?;
        }
        Ok(())
    }

    /// Waits until the client's own connection carries messages again: what a step then says is
    /// about the services, not about how fast a client library reconnects.
    async fn reconnected(&self, fault: Fault) -> Result<(), Stop> {
        let attempts = async {
            loop {
                let op = Op::Publish {
                    subject: BARRIER.to_owned(),
                    payload_base64: String::new(),
                    headers: Default::default(),
                };
                match self.driver.perform(op).await {
                    Ok(Outcome::Ok(_) | Outcome::Skip(_)) => return Ok(()),
                    // A driver has no word for "connected again": it is asked until it works.
                    Ok(Outcome::Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(fault) => return Err(Stop::broken("the driver after a fault", fault)),
                }
            }
        };
        let late =
            || format!("{}: the client did not reconnect within {RECONNECT:?}", fault.word());
        tokio::time::timeout(RECONNECT, attempts).await.map_err(|_| Stop::Broken(late()))?
    }
}
