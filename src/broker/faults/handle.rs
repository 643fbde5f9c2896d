//! The handle: breaks and mends servers, networks and service processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;

use super::error::FaultError;
use super::fault::{Fault, PartOf, Side, What};
use super::messages;
use super::reach::{Reach, before_cut};
use super::servers::Servers;
use super::services::{self, ServiceProcesses};
use crate::broker::proxy::{Cut, Direction, Fate, Heard, MessageRule, Proxy, dice};
use crate::counted::counted;

/// How long a connection that is cut may take to be gone.
const GONE: Duration = Duration::from_secs(15);

/// Everything that can be broken around a broker, by one word each.
///
/// What is left to chance is drawn from the seed: the same seed, the same faults.
///
/// ```no_run
/// # async fn example(mut broker: mono_demo::broker::Broker) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use mono_demo::broker::{Fault, Faults, Proxy, Servers, Side, What};
/// let proxies = [Proxy::start(broker.port(), 42).await?];
/// let client = async_nats::connect(proxies[0].url()).await?;
/// let mut faults = Faults::new(Servers::One(&mut broker), 42).network(Side::Client, &proxies);
/// faults.inject(&Fault::new(What::KillBroker)).await?;
/// faults.inject(&Fault::new(What::BlackHole).lasting(Duration::from_secs(5))).await?;
/// client.flush().await?;
/// # Ok(()) }
/// ```
pub struct Faults<'a> {
    servers: Servers<'a>,
    networks: Vec<Network<'a>>,
    services: Option<&'a mut dyn ServiceProcesses>,
    seed: u64,
    injected: u64,
    heard: Heard,
    rules: Vec<Arc<MessageRule>>,
    reaches: Vec<Reach>,
}

/// Proxies in front of the servers, and for whom.
struct Network<'a> {
    side: Side,
    /// Of services: which; `None` is all of them.
    service: Option<&'a str>,
    proxies: &'a [Proxy],
}

impl fmt::Debug for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults(seed {}, {} injected)", self.seed, self.injected)
    }
}

impl<'a> Faults<'a> {
    /// A handle to servers; networks and services are added to it.
    #[must_use]
    pub fn new(servers: Servers<'a>, seed: u64) -> Self {
        let heard: Heard = Arc::new(|_| {});
        let (networks, rules, reaches) = (Vec::new(), Vec::new(), Vec::new());
        Self { servers, networks, services: None, seed, injected: 0, heard, rules, reaches }
    }

    /// These proxies are in front of the servers, for those on this side.
    #[must_use]
    pub fn network(mut self, side: Side, proxies: &'a [Proxy]) -> Self {
        self.networks.push(Network { side, service: None, proxies });
        self
    }

    /// These are in front of the servers for one of several services.
    #[must_use]
    pub fn network_of(mut self, service: &'a str, proxies: &'a [Proxy]) -> Self {
        let service = Some(service);
        self.networks.push(Network { side: Side::Services, service, proxies });
        self
    }

    /// Is told of each message that a fault hits.
    #[must_use]
    pub fn hearing(mut self, heard: Heard) -> Self {
        self.heard = heard;
        self
    }

    /// The faults by message that were injected, in order: what each has hit, and why one has not.
    pub fn rules(&self) -> &[Arc<MessageRule>] {
        &self.rules
    }

    /// The faults of a network that were injected, in order, of which it can be seen whom they reach.
    pub fn reaches(&mut self) -> Vec<Reach> {
        std::mem::take(&mut self.reaches)
    }

    /// These are the service processes.
    #[must_use]
    pub fn services(mut self, services: &'a mut dyn ServiceProcesses) -> Self {
        self.services = Some(services);
        self
    }

    /// So many faults were injected before, by other handles to the same: the dice go on from there.
    #[must_use]
    pub fn after(mut self, injected: u64) -> Self {
        self.injected = injected;
        self
    }

    /// What the next fault is, with what the seed draws for it: `kill-node 2 (nodes 0, 2)`.
    /// Where the client's connection decides, it waits for one.
    ///
    /// # Errors
    /// [`FaultError::NoProxy`] and [`FaultError::NobodyConnected`], where the client has no connection.
    pub async fn drawn(&mut self, fault: &Fault) -> Result<String, FaultError> {
        let nodes = self.nodes(fault.what).await?;
        let nodes: Vec<String> = nodes.iter().map(usize::to_string).collect();
        Ok(match nodes.len() {
            0 => fault.to_string(),
            1 => format!("{fault} (node {})", nodes.concat()),
            _ => format!("{fault} (nodes {})", nodes.join(", ")),
        })
    }

    /// Breaks or mends something, and says what has happened: it returns once the break has
    /// happened and what must be back is back. One that lasts a time is over when it returns.
    ///
    /// # Errors
    /// [`FaultError`], with the evidence.
    pub async fn inject(&mut self, fault: &Fault) -> Result<String, FaultError> {
        let said = self.perform(fault.what, fault).await?;
        self.injected += 1;
        let (Some(time), Some(end)) = (fault.lasts, fault.what.mended_by()) else {
            return Ok(said);
        };
        // This is the fault itself.
        tokio::time::sleep(time).await;
        if let Some(reach) = self.reaches.last_mut().filter(|_| end == What::HealNetwork) {
            reach.end();
        }
        self.perform(end, fault).await?;
        Ok(format!("{said}, for {time:?}"))
    }

    /// The nodes that the seed chooses: neighbours, from any of them on.
    async fn nodes(&mut self, what: What) -> Result<Vec<usize>, FaultError> {
        let count = self.servers.count();
        let many = match what {
            What::KillNode(many) => many,
            What::WipeNode | What::IsolateNode(None) => 1,
            What::IsolateNode(Some(part)) => return self.cut_off(part, count).await,
            _ => return Ok(Vec::new()),
        };
        let last = count.saturating_sub(1) as u64;
        let first = dice(self.seed, self.injected, Direction::ToServer).within(&(0..=last));
        let mut nodes: Vec<usize> =
            (0..many.min(count)).map(|n| (first as usize + n) % count).collect();
        nodes.sort_unstable();
        Ok(nodes)
    }

    /// The node to which the client is connected, or one of the others, which the seed chooses.
    async fn cut_off(&mut self, part: PartOf, count: usize) -> Result<Vec<usize>, FaultError> {
        let of_client = self.hit(Some(Side::Client), None)?;
        let proxies: Vec<&Proxy> = of_client.iter().flat_map(|network| network.proxies).collect();
        let at = connected(&proxies).await? % count;
        Ok(match part {
            PartOf::Minority => vec![at],
            PartOf::Majority => {
                let dice = &mut dice(self.seed, self.injected, Direction::ToServer);
                let further = dice.within(&(1..=count.saturating_sub(1).max(1) as u64));
                vec![(at + further as usize) % count]
            }
        })
    }

    async fn perform(&mut self, what: What, fault: &Fault) -> Result<String, FaultError> {
        if what.is_of_a_network() {
            return self.network_fault(what, fault).await;
        }
        match what {
            What::Message(fate) => self.message_fault(fate, fault),
            What::KillServices
            | What::KillService
            | What::StopServices
            | What::StopService
            | What::RestartServices
            | What::RestartService
            | What::StartServices
            | What::PauseServices
            | What::PauseService
            | What::ResumeServices => {
                let services = self.services.as_deref_mut().ok_or(FaultError::NoServices)?;
                services::inject(services, what).await.map(str::to_owned)
            }
            _ => {
                let nodes = self.nodes(what).await?;
                self.servers.inject(what, fault, &nodes).await.map(str::to_owned)
            }
        }
    }

    async fn network_fault(&mut self, what: What, fault: &Fault) -> Result<String, FaultError> {
        let hit = self.hit(fault.on, fault.service.as_deref())?;
        let left: Vec<u64> = {
            let before = |network: &&Network<'_>| {
                before_cut(network.proxies.iter().map(Proxy::bytes_before_cut))
            };
            hit.iter().filter_map(before).collect()
        };
        let proxies: Vec<&Proxy> = hit.iter().flat_map(|network| network.proxies).collect();
        let reach = Reach::begin(what, proxies.iter().map(|proxy| proxy.gauge()).collect());
        if what == What::Cut {
            connected(&proxies).await?;
        }
        for proxy in &proxies {
            switch(proxy, what).await?;
        }
        if let (What::HealNetwork, Some(left)) = (what, left.first()) {
            return Err(FaultError::NothingCut { left: *left });
        }
        let mut whom: Vec<Side> = hit.iter().map(|network| network.side).collect();
        whom.sort_unstable();
        whom.dedup();
        let said = said(what, &whom);
        self.reaches.extend(reach);
        Ok(match &fault.service {
            Some(name) => format!("{said} (of {name} alone)"),
            None => said,
        })
    }

    /// Returns at once: the messages come later.
    fn message_fault(&mut self, fate: Fate, fault: &Fault) -> Result<String, FaultError> {
        let matching = fault.messages.clone().ok_or(FaultError::NoMessages)?;
        if self.servers.are_encrypted() {
            return Err(FaultError::Encrypted);
        }
        let said = messages::said(fate, &matching);
        let hit = self.hit(fault.on, fault.service.as_deref())?;
        // Of somebody named, replies in both directions are meant.
        let is_sent = |network: &&Network<'_>| network.side == Side::Services;
        let replies_as_sent = fault.service.is_none() && hit.iter().any(is_sent);
        let rule = MessageRule::new(fate, matching, self.heard.clone());
        let rule = Arc::new(rule.replies_as_sent(replies_as_sent));
        for network in hit {
            network.proxies.iter().for_each(|proxy| proxy.rule(&rule));
        }
        self.rules.push(rule);
        Ok(said)
    }

    /// The networks of a side, and there of a service.
    fn hit(
        &self,
        on: Option<Side>,
        service: Option<&str>,
    ) -> Result<Vec<&Network<'a>>, FaultError> {
        let hit = self.networks.iter().filter(|network| {
            let of_service = || network.service.is_none() || network.service == service;
            on.is_none_or(|on| on == network.side) && (service.is_none() || of_service())
        });
        let hit: Vec<&Network<'a>> = hit.filter(|network| !network.proxies.is_empty()).collect();
        if hit.is_empty() { Err(FaultError::NoProxy) } else { Ok(hit) }
    }
}

/// Waits until somebody is connected who can be cut, and says through which proxy: after an earlier fault,
/// one may be on its way.
async fn connected(proxies: &[&Proxy]) -> Result<usize, FaultError> {
    let open = proxies.iter().map(|proxy| Box::pin(proxy.until(|counts| counts.open > 0)));
    let late = |_| FaultError::NobodyConnected { after: GONE };
    tokio::time::timeout(GONE, select_all(open)).await.map(|(_, at, _)| at).map_err(late)
}

async fn switch(proxy: &Proxy, what: What) -> Result<(), FaultError> {
    match what {
        What::Delay { latency, jitter } => proxy.delay_within(latency..=latency + jitter),
        What::CutAfter { bytes, direction } => proxy.cut_after(direction, bytes),
        What::Chop { chunk, pause } => proxy.trickle(chunk, pause),
        What::BlackHole => proxy.black_hole(),
        What::HalfOpen(direction) => proxy.half_open(direction),
        What::Refuse => proxy.refuse(),
        What::Cut => {
            let before = proxy.counts();
            proxy.cut(Cut::Reset);
            if before.open > 0 {
                let cut = proxy.until(|now| now.cut > before.cut || now.open == 0);
                let late = |_| FaultError::NotCut { after: GONE };
                tokio::time::timeout(GONE, cut).await.map_err(late)?;
            }
        }
        _ => proxy.heal(),
    }
    Ok(())
}

/// What has happened, in words that are the same in every run.
fn said(what: What, whom: &[Side]) -> String {
    let (sends, reaches) = match whom {
        [Side::Client] => ("the client sends", "back"),
        [Side::Services] => ("the services send", "to them"),
        _ => ("clients and services send", "to them"),
    };
    match what {
        What::Delay { latency, jitter } if jitter.is_zero() => {
            let ms = latency.as_millis();
            format!("every byte takes {ms} ms longer, each way")
        }
        What::Delay { latency, jitter } => {
            let (least, most) = (latency.as_millis(), (latency + jitter).as_millis());
            format!("every byte takes {least} to {most} ms longer, each way")
        }
        What::Cut => match whom {
            [Side::Client] => "the connection is reset, and there is a new one".to_owned(),
            _ => "the connections are reset, and there are new ones".to_owned(),
        },
        What::CutAfter { bytes, direction } => {
            let more = counted(bytes, "more byte");
            format!("the connection that passes {more} {} is cut", direction.words())
        }
        What::Chop { chunk, .. } => format!("{} at a time", counted(chunk, "byte")),
        What::BlackHole => "nothing arrives, either way".to_owned(),
        What::HalfOpen(Direction::ToClient) => {
            format!("what {sends} arrives, and nothing comes {reaches}")
        }
        What::HalfOpen(Direction::ToServer) => {
            format!("nothing that {sends} arrives; the other way is open")
        }
        What::Refuse => "new connections are refused".to_owned(),
        _ => "all arrives again".to_owned(),
    }
}
