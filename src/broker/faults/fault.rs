//! What breaks, how, whom it hits and how long it lasts: data, that reads as one line.

use std::fmt;
use std::time::Duration;

use crate::broker::proxy::{Direction, Fate, Matching, MessageKind, Moment};
use crate::counted::counted;

/// Something that is to break, or to be mended.
///
/// ```
/// use std::time::Duration;
/// use mono_demo::broker::{Fault, Side, What};
/// let slow = What::Delay { latency: Duration::from_millis(50), jitter: Duration::ZERO };
/// let fault = Fault { on: Some(Side::Services), ..Fault::new(slow) };
/// assert_eq!(fault.to_string(), "delay 50ms on services");
/// assert_eq!(Fault::new(What::PauseBroker).lasting(Duration::from_secs(5)).to_string(), "pause-broker for 5s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub what: What,
    /// Of a network: whose; `None` is everybody's who is behind a proxy.
    pub on: Option<Side>,
    /// Of service processes: whose, where there are several services; `None` is all of them.
    pub service: Option<String>,
    /// Of leaders: the stream that is led; `None` is what the servers are told.
    pub stream: Option<String>,
    /// Of messages: which.
    pub messages: Option<Matching>,
    /// After this time it is mended; `None` is when it is told to.
    pub lasts: Option<Duration>,
}

/// Who is behind a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The client under test.
    Client,
    /// The service processes.
    Services,
}

impl Side {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Services => "services",
        }
    }
}

/// A part of a cluster that is cut in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOf {
    /// The node that is cut off.
    Minority,
    /// The others.
    Majority,
}

impl PartOf {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minority => "minority",
            Self::Majority => "majority",
        }
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// SIGKILL, then started again on the same port and store; of a cluster each node in turn.
    KillBroker,
    /// Stopped in order, then started again on the same port and store; of a cluster each in turn.
    RestartBroker,
    /// Lame duck mode: it takes no new client, sends those that it has away one after the other,
    /// ends, and is started again; of a cluster each node in turn.
    LameDuck,
    /// SIGSTOP; of a cluster all nodes.
    PauseBroker,
    /// SIGCONT.
    ResumeBroker,
    /// SIGKILL to the node that leads a stream, then started again and healed.
    KillLeader,
    /// The same with SIGTERM: it hands over what it leads.
    StopLeader,
    /// SIGKILL to so many nodes at once, chosen by the seed, then started again and healed.
    KillNode(usize),
    /// SIGKILL to a node that the seed chooses; its streams are removed, and it starts empty and
    /// learns everything from the others.
    WipeNode,
    /// Nothing arrives at a node from the others, and nothing from it at them; its clients stay with it.
    /// The seed chooses it, or where the client is.
    IsolateNode(Option<PartOf>),
    /// SIGKILL to all nodes but the one that takes submissions; they stay away.
    LoseQuorum,
    /// Started again, and caught up.
    Heal,
    /// Every byte takes longer, each way: by the latency, and by chance up to the jitter more.
    Delay {
        /// At least so much longer.
        latency: Duration,
        /// And up to so much more.
        jitter: Duration,
    },
    /// Every connection is reset now; new ones are accepted.
    Cut,
    /// The connection that passes this byte is cut after it, in the middle of whatever it was; once.
    CutAfter {
        /// Of all connections together, counted from now.
        bytes: u64,
        /// In this direction.
        direction: Direction,
    },
    /// Writes of at most so many bytes, with a pause after each.
    Chop {
        /// Bytes.
        chunk: usize,
        /// After each write.
        pause: Duration,
    },
    /// Connections stay open and nothing arrives, either way.
    BlackHole,
    /// Nothing arrives in this direction; the other passes.
    HalfOpen(Direction),
    /// New connections are refused; those that are open stay.
    Refuse,
    /// What becomes of messages, where [`Fault::messages`] says of which.
    Message(Fate),
    /// The network is good again.
    HealNetwork,
    /// SIGKILL to every service process, then started again.
    KillServices,
    /// SIGKILL to one of them, the oldest, then started again.
    KillService,
    /// SIGTERM; they stay away.
    StopServices,
    /// SIGTERM to one of them, the oldest; it stays away.
    StopService,
    /// SIGTERM, then started again.
    RestartServices,
    /// SIGTERM to one of them, the oldest, then started again.
    RestartService,
    /// Those that are away are started again.
    StartServices,
    /// SIGSTOP.
    PauseServices,
    /// SIGSTOP to one of them.
    PauseService,
    /// SIGCONT to all that are paused.
    ResumeServices,
}

/// The values that a fault has where nobody says another.
const WORDS: [(&str, What); 33] = [
    ("kill-broker", What::KillBroker),
    ("restart-broker", What::RestartBroker),
    ("lame-duck", What::LameDuck),
    ("pause-broker", What::PauseBroker),
    ("resume-broker", What::ResumeBroker),
    ("kill-leader", What::KillLeader),
    ("stop-leader", What::StopLeader),
    ("kill-node", What::KillNode(1)),
    ("wipe-node", What::WipeNode),
    ("isolate-node", What::IsolateNode(None)),
    ("lose-quorum", What::LoseQuorum),
    ("heal", What::Heal),
    ("delay", What::Delay { latency: Duration::from_millis(50), jitter: Duration::ZERO }),
    ("cut", What::Cut),
    ("chop", What::Chop { chunk: 10, pause: Duration::from_millis(1) }),
    ("blackhole", What::BlackHole),
    ("half-open", What::HalfOpen(Direction::ToClient)),
    ("refuse", What::Refuse),
    ("lose", What::Message(Fate::Lose)),
    ("duplicate", What::Message(Fate::Duplicate)),
    ("swap", What::Message(Fate::Swap)),
    ("disconnect", What::Message(Fate::Disconnect(Moment::Before))),
    ("heal-network", What::HealNetwork),
    ("kill-services", What::KillServices),
    ("kill-service", What::KillService),
    ("stop-services", What::StopServices),
    ("stop-service", What::StopService),
    ("restart-services", What::RestartServices),
    ("restart-service", What::RestartService),
    ("start-services", What::StartServices),
    ("pause-services", What::PauseServices),
    ("pause-service", What::PauseService),
    ("resume-services", What::ResumeServices),
];

impl What {
    /// Every word, in the order of the documentation.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// What a word stands for, with its usual values.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, what)| *what)
    }

    /// The word for it, without its values.
    #[must_use]
    pub fn word(self) -> &'static str {
        let same = std::mem::discriminant(&match self {
            Self::Message(fate) => return fate.word(),
            Self::CutAfter { .. } => Self::Cut,
            other => other,
        });
        let found = WORDS.iter().find(|(_, what)| std::mem::discriminant(what) == same);
        found.map_or("fault", |(word, _)| word)
    }

    /// Whether it needs a cluster.
    #[must_use]
    pub fn needs_cluster(self) -> bool {
        matches!(
            self,
            Self::KillLeader
                | Self::StopLeader
                | Self::KillNode(_)
                | Self::WipeNode
                | Self::IsolateNode(_)
                | Self::LoseQuorum
                | Self::Heal
        )
    }

    /// Whether it ends a server or cuts one off. A cluster that has one cut off already, or no
    /// majority, is [healed](Self::Heal) first.
    #[must_use]
    pub fn breaks_servers(self) -> bool {
        matches!(
            self,
            Self::KillBroker
                | Self::RestartBroker
                | Self::LameDuck
                | Self::KillLeader
                | Self::StopLeader
                | Self::KillNode(_)
                | Self::WipeNode
                | Self::IsolateNode(_)
                | Self::LoseQuorum
        )
    }

    /// Whether it is about the node that leads a stream.
    #[must_use]
    pub fn is_of_a_leader(self) -> bool {
        matches!(self, Self::KillLeader | Self::StopLeader | Self::LoseQuorum)
    }

    /// Whether it is about a network, which only a proxy can make bad.
    #[must_use]
    pub fn is_of_a_network(self) -> bool {
        self.mended_by() == Some(Self::HealNetwork) || matches!(self, Self::Cut | Self::HealNetwork)
    }

    /// Whether it is about messages, which only a proxy can tell apart.
    #[must_use]
    pub fn is_of_messages(self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// What ends it, if it lasts: until then it is broken.
    #[must_use]
    pub fn mended_by(self) -> Option<Self> {
        match self {
            Self::PauseBroker => Some(Self::ResumeBroker),
            Self::LoseQuorum | Self::IsolateNode(_) => Some(Self::Heal),
            Self::Delay { .. }
            | Self::CutAfter { .. }
            | Self::Chop { .. }
            | Self::BlackHole
            | Self::HalfOpen(_)
            | Self::Refuse => Some(Self::HealNetwork),
            Self::StopServices | Self::StopService => Some(Self::StartServices),
            Self::PauseServices | Self::PauseService => Some(Self::ResumeServices),
            _ => None,
        }
    }

    /// Whether it is about service processes.
    #[must_use]
    pub fn is_of_services(self) -> bool {
        let starts = matches!(
            self,
            Self::KillServices | Self::KillService | Self::RestartServices | Self::RestartService
        );
        starts
            || [self.mended_by(), Some(self)]
                .iter()
                .any(|what| matches!(what, Some(Self::StartServices | Self::ResumeServices)))
    }

    /// Whether all it does is to end another fault.
    #[must_use]
    pub fn mends(self) -> bool {
        matches!(
            self,
            Self::ResumeBroker
                | Self::Heal
                | Self::HealNetwork
                | Self::StartServices
                | Self::ResumeServices
        )
    }
}

impl Fault {
    /// Whether it may break the connection of the client under test, or keep back what comes to it.
    #[must_use]
    pub fn breaks_the_client(&self) -> bool {
        let of_network = matches!(
            self.what,
            What::Cut
                | What::CutAfter { .. }
                | What::BlackHole
                | What::HalfOpen(_)
                | What::Message(Fate::Disconnect(_))
        );
        let of_deliveries =
            self.messages.as_ref().is_some_and(|of| of.kind == MessageKind::Delivery);
        let keeps_back = of_deliveries
            && matches!(self.what, What::Message(Fate::Lose | Fate::Delay(_) | Fate::Swap));
        self.what.breaks_servers() || (of_network || keeps_back) && self.on != Some(Side::Services)
    }

    /// On everybody, until it is mended.
    #[must_use]
    pub fn new(what: What) -> Self {
        Self { what, on: None, service: None, stream: None, messages: None, lasts: None }
    }

    /// This becomes of these messages, on everybody's connections.
    ///
    /// ```
    /// use mono_demo::broker::{Fate, Fault, Matching, MessageKind};
    /// let lost = Fault::of_messages(Fate::Lose, Matching::next(MessageKind::PubAck).on("orders.>"));
    /// assert_eq!(lost.to_string(), "lose pub-ack on orders.>");
    /// ```
    #[must_use]
    pub fn of_messages(fate: Fate, messages: Matching) -> Self {
        Self { messages: Some(messages), ..Self::new(What::Message(fate)) }
    }

    /// Mended after this time.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self { lasts: Some(time), ..self }
    }

    /// Whether it ends `other`, of which it does not hold whom it hit.
    #[must_use]
    pub fn mends(&self, other: &Fault) -> bool {
        let side = self.on.is_none() || self.on == other.on;
        let service = self.service.is_none() || self.service == other.service;
        other.what.mended_by() == Some(self.what) && side && service
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what.word())?;
        match self.what {
            What::Delay { latency, jitter } if jitter.is_zero() => write!(f, " {latency:?}")?,
            What::Delay { latency, jitter } => {
                write!(f, " {latency:?} to {:?}", latency + jitter)?;
            }
            What::CutAfter { bytes, direction } => {
                write!(f, " after {} {}", counted(bytes, "byte"), direction.word())?;
            }
            What::Chop { chunk, pause } => {
                write!(f, " into {}, one each {pause:?}", counted(chunk, "byte"))?;
            }
            What::HalfOpen(direction) => write!(f, " {}", direction.word())?,
            What::KillNode(nodes) => write!(f, " {nodes}")?,
            What::IsolateNode(Some(PartOf::Minority)) => f.write_str(" with the client")?,
            What::IsolateNode(Some(PartOf::Majority)) => f.write_str(" without the client")?,
            What::Message(Fate::Delay(time)) => write!(f, " {time:?}")?,
            What::Message(Fate::Disconnect(moment)) => write!(f, " {}", moment.word())?,
            _ => {}
        }
        if let Some(messages) = &self.messages {
            write!(f, " {messages}")?;
        }
        match self.on {
            // The service says it.
            Some(_) if self.service.is_some() => {}
            Some(side) if self.messages.is_some() => write!(f, " of {}", side.word())?,
            Some(side) => write!(f, " on {}", side.word())?,
            None => {}
        }
        for whose in self.service.iter().chain(&self.stream) {
            write!(f, " of {whose}")?;
        }
        match self.lasts {
            Some(time) => write!(f, " for {time:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_what_it_says() {
        for word in What::words() {
            assert_eq!(What::named(word).map(What::word), Some(word));
        }
        assert_eq!(What::named("kill-brokers"), None);
    }

    #[test]
    fn what_lasts_is_ended_by_what_mends_it() {
        for word in What::words() {
            let what = What::named(word).unwrap();
            if let Some(end) = what.mended_by() {
                assert!(end.mends() && !what.mends(), "{word}");
                assert!(Fault::new(end).mends(&Fault::new(what)), "{word}");
            }
        }
        let stopped = Fault { service: Some("a".into()), ..Fault::new(What::StopServices) };
        let started = Fault { service: Some("b".into()), ..Fault::new(What::StartServices) };
        assert!(!started.mends(&stopped) && Fault::new(What::StartServices).mends(&stopped));
        assert_eq!(stopped.to_string(), "stop-services of a");
        let led = Fault { stream: Some("ORDERS".into()), ..Fault::new(What::KillLeader) };
        assert_eq!(led.to_string(), "kill-leader of ORDERS");
        let (on, pull) = (Some(Side::Services), Some("pull".into()));
        let open = Fault { on, service: pull, ..Fault::new(What::HalfOpen(Direction::ToServer)) };
        assert_eq!(open.to_string(), "half-open to-server of pull");
        let hole = Fault { on: Some(Side::Client), ..Fault::new(What::BlackHole) };
        let other = Fault { on: Some(Side::Services), ..Fault::new(What::HealNetwork) };
        assert!(!other.mends(&hole));
        assert!(Fault::new(What::HealNetwork).mends(&hole));
    }
}
