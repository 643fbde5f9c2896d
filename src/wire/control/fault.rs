//! What can be broken or mended.

use serde::{Deserialize, Serialize};

/// What breaks, or is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// SIGKILL to a broker, a service or a node; it stays away until `restart`.
    Kill {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// SIGTERM, and waits for the end; it stays away until `restart`.
    Stop {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// Starts what is away again, on the same port and store; what runs is stopped first.
    Restart {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// SIGSTOP: connections stay open, nothing answers.
    Pause {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// SIGCONT.
    Resume {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// Lame duck mode of a broker or a node: it sends its clients away and ends; it stays away until
    /// `restart`.
    LameDuck {
        /// Of a cluster: which, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<usize>,
    },
    /// SIGKILL to a node of a cluster, which loses its disk.
    Wipe {
        /// Which, from 0.
        node: usize,
    },
    /// SIGKILL to the node of a cluster that leads a stream.
    KillLeader {
        /// The stream.
        stream: String,
    },
    /// SIGKILL to as many nodes of a cluster as leave less than a majority.
    LoseQuorum {},
    /// A node of a cluster is cut off from the others until `heal`: nothing arrives, either way, and nobody is
    /// told; its clients stay with it. The cluster was started with `partitions`.
    Isolate {
        /// Which, from 0.
        node: usize,
    },
    /// A cluster's nodes are resumed and started again, reach each other, and have caught up.
    Heal {},
    /// Through a proxy every byte takes longer, each way.
    Delay {
        /// At least so much longer, milliseconds.
        latency_ms: u64,
        /// And by chance up to so much more, milliseconds.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// Every connection through a proxy is reset now; new ones are accepted.
    Cut {},
    /// The connection through a proxy that passes this byte is cut after it, once.
    CutAfter {
        /// Of all connections together, counted from now.
        bytes: u64,
        /// In this direction.
        direction: Direction,
    },
    /// A proxy writes at most so many bytes at once, with a pause after each.
    Chop {
        /// Bytes.
        bytes: usize,
        /// After each, milliseconds.
        pause_ms: u64,
    },
    /// Connections through a proxy stay open and nothing arrives, either way.
    Blackhole {},
    /// Nothing arrives in this direction; the other passes.
    HalfOpen {
        /// In which nothing arrives.
        direction: Direction,
    },
    /// A proxy refuses new connections; those that are open stay.
    Refuse {},
    /// Ends every fault of a proxy.
    HealNetwork {},
    /// These messages never arrive.
    Lose {
        /// Which.
        messages: Messages,
    },
    /// They arrive twice.
    Duplicate {
        /// Which.
        messages: Messages,
    },
    /// They arrive later; what comes behind overtakes them.
    Late {
        /// Which.
        messages: Messages,
        /// By so much, milliseconds.
        by_ms: u64,
    },
    /// Each changes places with the next one that matches.
    Swap {
        /// Which.
        messages: Messages,
    },
    /// Their connection ends.
    Disconnect {
        /// Which.
        messages: Messages,
        /// Before they have arrived, or after.
        moment: Moment,
    },
}

/// What is wrong with something for as long as a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It does not run.
    Away,
    /// It stands still.
    Paused,
    /// The other nodes cannot be reached.
    CutOff,
    /// What goes through a proxy is late, or goes nowhere.
    Network,
}

/// From when to when a fault is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From now until something mends it.
    Lasting(Broken),
    /// It is over once it has happened.
    Momentary,
    /// It happens to each message that it hits.
    Messages,
    /// It ends what is broken in these ways, and breaks nothing.
    Mends(&'static [Broken]),
    /// It ends what is broken in these ways; where nothing is, it is itself over once it has happened.
    Renews(&'static [Broken]),
}

impl Fault {
    /// Its `kind`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::LameDuck { .. } => "lame-duck",
            Self::Wipe { .. } => "wipe",
            Self::KillLeader { .. } => "kill-leader",
            Self::LoseQuorum {} => "lose-quorum",
            Self::Isolate { .. } => "isolate",
            Self::Heal {} => "heal",
            Self::Delay { .. } => "delay",
            Self::Cut {} => "cut",
            Self::CutAfter { .. } => "cut-after",
            Self::Chop { .. } => "chop",
            Self::Blackhole {} => "blackhole",
            Self::HalfOpen { .. } => "half-open",
            Self::Refuse {} => "refuse",
            Self::HealNetwork {} => "heal-network",
            Self::Lose { .. } => "lose",
            Self::Duplicate { .. } => "duplicate",
            Self::Late { .. } => "late",
            Self::Swap { .. } => "swap",
            Self::Disconnect { .. } => "disconnect",
        }
    }

    /// The node of a cluster that it names.
    #[must_use]
    pub fn node(&self) -> Option<usize> {
        match self {
            Self::Kill { node }
            | Self::Stop { node }
            | Self::Restart { node }
            | Self::Pause { node }
            | Self::Resume { node }
            | Self::LameDuck { node } => *node,
            Self::Wipe { node } | Self::Isolate { node } => Some(*node),
            _ => None,
        }
    }

    /// From when to when it is there.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Kill { .. }
            | Self::Stop { .. }
            | Self::LameDuck { .. }
            | Self::Wipe { .. }
            | Self::KillLeader { .. }
            | Self::LoseQuorum {} => Span::Lasting(Broken::Away),
            Self::Pause { .. } => Span::Lasting(Broken::Paused),
            Self::Isolate { .. } => Span::Lasting(Broken::CutOff),
            Self::Delay { .. }
            | Self::Chop { .. }
            | Self::Blackhole {}
            | Self::HalfOpen { .. }
            | Self::Refuse {} => Span::Lasting(Broken::Network),
            Self::Cut {} | Self::CutAfter { .. } => Span::Momentary,
            Self::Lose { .. }
            | Self::Duplicate { .. }
            | Self::Late { .. }
            | Self::Swap { .. }
            | Self::Disconnect { .. } => Span::Messages,
            Self::Restart { .. } => Span::Renews(&[Broken::Away, Broken::Paused]),
            Self::Resume { .. } => Span::Mends(&[Broken::Paused]),
            Self::Heal {} => Span::Mends(&[Broken::Away, Broken::Paused, Broken::CutOff]),
            Self::HealNetwork {} => Span::Mends(&[Broken::Network]),
        }
    }
}

/// A way through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What clients send.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// When a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// The message never arrives.
    Before,
    /// It arrives, and nothing more.
    After,
}

/// Which messages through a proxy; all that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// What they are.
    pub message: MessageKind,
    /// On this subject, or in answer to one on it; wildcards are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// With this header: `Nats-Msg-Id`, or `Nats-Msg-Id: o-7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// With this text in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The n-th of those; 1, the next, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// The n-th, the 2n-th and so on, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// How many; with `nth` one if left out, with `every` all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What a message is to those who speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// A client publishes: to a stream, to subscribers, or a request.
    Publish,
    /// A stream says that it has a message, or why not.
    PubAck,
    /// The server hands a message to a subscriber.
    Delivery,
    /// A message of a stream is done.
    Ack,
    /// It is not, or never will be.
    Nak,
    /// What a service answers.
    Reply,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_fault_is_its_kind() {
        let unknown = serde_json::from_value::<Fault>(serde_json::json!({ "kind": "x" }));
        let unknown = unknown.unwrap_err().to_string();
        let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert_eq!(known.len(), 24, "{unknown}");
        let messages = serde_json::json!({ "message": "ack" });
        for word in known {
            let mut fault = serde_json::json!({ "kind": word });
            // What one takes another refuses.
            let more = [
                ("node", serde_json::json!(1)),
                ("stream", "S".into()),
                ("latency_ms", 1.into()),
                ("bytes", 1.into()),
                ("pause_ms", 1.into()),
                ("by_ms", 1.into()),
                ("direction", "to-client".into()),
                ("moment", "after".into()),
                ("messages", messages.clone()),
            ];
            for (key, value) in more {
                fault[key] = value;
                let read = serde_json::from_value::<Fault>(fault.clone());
                if read.is_err_and(|error| error.to_string().starts_with("unknown field")) {
                    fault.as_object_mut().unwrap().remove(key);
                }
            }
            let read: Fault = serde_json::from_value(fault.clone()).unwrap();
            assert_eq!(read.word(), word);
            assert_eq!(read.node(), fault["node"].as_u64().map(|node| node as usize));
        }
    }
}
