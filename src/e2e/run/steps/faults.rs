//! Broken on purpose, and put on record.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Fault, FaultError, Faults, Heard, Side, What};
use crate::counted::counted;
use crate::e2e::driver;
use crate::e2e::record::history::event::Phase;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::run::Failure;
use crate::e2e::run::record;
use crate::e2e::run::stage::lasting::Lasting;
use crate::e2e::run::stage::lost_replies::LostReplies;
use crate::e2e::run::stage::reached::Reached;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::span::Span;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::Outcome;

/// How long the client may take to find a broker again that is back.
const RECONNECT: Duration = Duration::from_secs(15);

impl World {
    /// Breaks or mends something, where a load says so once `due` submissions are acknowledged;
    /// returns once the break has happened and what must be back is back. Says what has happened.
    pub(in crate::e2e) async fn fault(
        &mut self,
        fixture: &Fixture,
        fault: &Fault,
        due: Option<u32>,
        span: &Span,
    ) -> Result<String, Stop> {
        let (seed, injected) = (self.machine().seed, self.schedule.len() as u64);
        let leaders = self.machine().leaders.clone();
        let of_one = fault.service.is_some() && !self.networks.shared.is_empty();
        if of_one && (fault.what.is_of_a_network() || fault.what.is_of_messages()) {
            let why = "the services share the network of the broker's fixed port, so that it cannot hit one \
                       of them alone";
            return Err(Stop::broken(&fault.to_string(), why));
        }
        self.services.only(fault.service.as_deref());
        let mut faults = Faults::new(self.brokers.servers(&leaders), seed)
            .network(Side::Client, &self.networks.client)
            .network(Side::Services, &self.networks.shared)
            .services(&mut self.services)
            .hearing(hearing(&self.recorder, &self.lost_replies))
            .after(injected);
        for (service, proxies) in &self.networks.services {
            faults = faults.network_of(service, proxies);
        }
        let drawn = faults.drawn(fault).await;
        let mut name = drawn.map_err(|error| told(fixture, span, fault, error))?;
        if let Some(due) = due {
            name.push_str(&format!(" at {due}"));
        }
        self.schedule.push(name.clone());
        let mends = fault.what.mends();
        // It breaks nothing yet: each message that it hits is on record.
        let is_of_messages = fault.what.is_of_messages();
        if !mends && !is_of_messages {
            self.recorder.fault(&name, Phase::Begin);
        }
        let done = faults.inject(fault).await;
        let rules = faults.rules().iter().map(|rule| (rule.clone(), name.clone(), span.clone()));
        self.rules.extend(rules);
        self.reaches.extend(faults.reaches().into_iter().map(|reach| Reached {
            reach,
            fault: fault.clone(),
            name: name.clone(),
            span: span.clone(),
        }));
        self.services.all_in_view();
        let done = done.map_err(|error| told(fixture, span, fault, error))?;
        if mends {
            let over = self.reaches.iter_mut().filter(|reached| fault.mends(&reached.fault));
            over.for_each(|reached| reached.reach.end());
            let recorder = self.recorder.clone();
            self.broken.retain(|lasting| {
                let mended = fault.mends(&lasting.fault);
                if mended {
                    recorder.fault(&lasting.name, Phase::End);
                }
                !mended
            });
        } else if fault.what.mended_by().is_some() && fault.lasts.is_none() {
            let (fault, span) = (fault.clone(), span.clone());
            self.broken.push(Lasting { fault, name, span });
        } else if !is_of_messages {
            self.recorder.fault(&name, Phase::End);
        }
        if cuts_the_client_off(fault) {
            self.reconnected(fault).await?;
        }
        Ok(done)
    }

    /// Tells beside how it went if a fault by message, or of a network, has done nothing: what it was there
    /// for is not proved.
    pub(in crate::e2e) fn unmet(
        &self,
        fixture: &Fixture,
        ended: Result<(), Stop>,
    ) -> Result<(), Stop> {
        let by_message = self.rules.iter().filter_map(|(rule, name, span)| {
            Some(Stop::failed(fixture, span, format!("`{name}` {}", rule.unmet()?)))
        });
        let of_networks =
            self.reaches.iter().filter_map(|Reached { reach, name, span, .. }| {
                Some(Stop::failed(fixture, span, format!("`{name}` {}", reach.unmet()?)))
            });
        let mut unmet = by_message.chain(of_networks);
        match (ended, unmet.next()) {
            (Ok(()), Some(unmet)) => Err(unmet),
            (Err(first), Some(unmet)) => Err(first.and(unmet)),
            (ended, _) => ended,
        }
    }

    /// How many messages each fault by message has hit.
    pub(in crate::e2e) fn hits(&self) -> Vec<u64> {
        self.rules.iter().map(|(rule, ..)| rule.hits()).collect()
    }

    /// Tells beside a step that failed which faults by message have hit one since.
    pub(in crate::e2e) fn beside_hits(&self, before: &[u64], stop: Stop) -> Stop {
        let Stop::Failed(failure) = stop else { return stop };
        let new = self.rules.iter().enumerate().filter_map(|(at, (rule, name, _))| {
            let more = rule.hits() - before.get(at).copied().unwrap_or_default();
            let hit = (more > 0).then(|| counted(more, "message"))?;
            Some(format!("`{name}` hit {hit} during this step"))
        });
        let new: Vec<String> = new.collect();
        if new.is_empty() {
            return Stop::Failed(failure);
        }
        let told = new.join(", ");
        Stop::Failed(Failure {
            message: format!("{}; {told}", failure.message),
            excerpt: failure.excerpt.map(|excerpt| format!("{excerpt}\n  = {told}")),
            ..failure
        })
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

/// Why it did not break, or what broke did not come back: that is what the scenario shows, unless the harness
/// could not do its part.
fn told(fixture: &Fixture, span: &Span, fault: &Fault, error: FaultError) -> Stop {
    match error {
        FaultError::Services(_)
        | FaultError::NoServices
        | FaultError::NothingCut { .. }
        | FaultError::NobodyConnected { .. } => {
            Stop::failed(fixture, span, format!("`{fault}`: {error}"))
        }
        error => Stop::broken(&fault.to_string(), error),
    }
}

/// Puts each message that a fault hits on record.
fn hearing(recorder: &Recorder, lost_replies: &LostReplies) -> Heard {
    let (recorder, lost_replies) = (recorder.clone(), lost_replies.clone());
    Arc::new(move |hit| {
        lost_replies.hear(hit);
        record::hit(&recorder, hit);
    })
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
        | What::WipeNode
        | What::LoseQuorum
        | What::Heal
        | What::Cut
        | What::HealNetwork => true,
        what => what.is_of_a_network() && fault.lasts.is_some(),
    }
}
