//! What does no harm yet and will: the hazards that are looked for in every run, by name.

use std::collections::BTreeSet;

/// A kind of hazard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HazardKind {
    /// The first step of `backoff` is used in the place of another `ack_wait`.
    BackoffOverridesAckWait,
    /// A message was handled for longer than `ack_wait`.
    AckWaitTooShort,
    /// A message was given up by `-NAK` without a delay.
    NakWithoutDelay,
    /// The same content is stored twice, without a message id.
    NoMessageId,
    /// A message was stored that nobody was told about.
    PublishWithoutAck,
    /// Two programs read from one consumer.
    ConsumerShared,
    /// A consumer stays that its program did not delete.
    EphemeralConsumerLeft,
    /// Messages waited since too many were not acknowledged yet.
    MaxAckPendingReached,
    /// A stream grows for ever.
    StreamWithoutLimits,
    /// A stream is gone with the one server that has it.
    StreamInMemory,
    /// One of the members of a queue group gets each message.
    QueueGroupBypassed,
    /// A service did not keep up with what the server sends.
    SlowConsumer,
}

impl HazardKind {
    /// All of them, in the order of the table in `docs/hazards.md`.
    pub const ALL: [Self; 12] = [
        Self::BackoffOverridesAckWait,
        Self::AckWaitTooShort,
        Self::NakWithoutDelay,
        Self::NoMessageId,
        Self::PublishWithoutAck,
        Self::ConsumerShared,
        Self::EphemeralConsumerLeft,
        Self::MaxAckPendingReached,
        Self::StreamWithoutLimits,
        Self::StreamInMemory,
        Self::QueueGroupBypassed,
        Self::SlowConsumer,
    ];

    /// Their names.
    pub const NAMES: [&'static str; 12] = {
        let (mut names, mut n) = ([""; 12], 0);
        while n < names.len() {
            names[n] = Self::ALL[n].about().name;
            n += 1;
        }
        names
    };

    /// What is said of it wherever it is seen.
    pub const fn about(self) -> &'static About {
        match self {
            Self::BackoffOverridesAckWait => &About {
                name: "backoff-overrides-ack-wait",
                leads_to: "a message is delivered again while its handler still works",
                remedy: "make the first step of `backoff` as long as the slowest handling, and leave `ack_wait` out",
                manual: "https://docs.nats.io/nats-concepts/jetstream/consumers",
            },
            Self::AckWaitTooShort => &About {
                name: "ack-wait-too-short",
                leads_to: "two workers handle one message at the same time",
                remedy: "raise `ack_wait` above the slowest handling, or send `+WPI` (in progress) meanwhile",
                manual: "https://docs.nats.io/nats-concepts/jetstream/consumers",
            },
            Self::NakWithoutDelay => &About {
                name: "nak-without-delay",
                leads_to: "all deliveries are used up before whatever failed can recover, or a message comes back for ever",
                remedy: "give the negative acknowledgement a delay; `backoff` does not apply to it",
                manual: "https://docs.nats.io/using-nats/developer/develop_jetstream/consumers",
            },
            Self::NoMessageId => &About {
                name: "no-message-id",
                leads_to: "a publish that is repeated after a lost acknowledgement is stored twice",
                remedy: "send a `Nats-Msg-Id` that is the same for each attempt",
                manual: "https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive",
            },
            Self::PublishWithoutAck => &About {
                name: "publish-without-ack",
                leads_to: "a message that was not stored is lost, and nobody learns of it",
                remedy: "publish with JetStream and wait for the acknowledgement",
                manual: "https://docs.nats.io/nats-concepts/jetstream",
            },
            Self::ConsumerShared => &About {
                name: "consumer-shared",
                leads_to: "each program gets some of the messages, and misses the others",
                remedy: "give each program a durable name of its own",
                manual: "https://docs.nats.io/nats-concepts/jetstream/consumers",
            },
            Self::EphemeralConsumerLeft => &About {
                name: "ephemeral-consumer-left",
                leads_to: "consumers pile up with each restart, until `inactive_threshold` is over",
                remedy: "delete the consumer at the end, or lower `inactive_threshold`",
                manual: "https://docs.nats.io/nats-concepts/jetstream/consumers",
            },
            Self::MaxAckPendingReached => &About {
                name: "max-ack-pending-reached",
                leads_to: "nothing more is delivered until somebody acknowledges, however many workers wait",
                remedy: "raise `max_ack_pending` above what all workers hold together, or acknowledge sooner",
                manual: "https://docs.nats.io/nats-concepts/jetstream/consumers",
            },
            Self::StreamWithoutLimits => &About {
                name: "stream-without-limits",
                leads_to: "the stream grows until the disk is full, and then takes nothing more",
                remedy: "set `max_age`, `max_bytes` or `max_msgs`, or another `retention`",
                manual: "https://docs.nats.io/nats-concepts/jetstream/streams",
            },
            Self::StreamInMemory => &About {
                name: "stream-in-memory",
                leads_to: "all that it has is gone when its server ends, acknowledged or not",
                remedy: "set `storage` to `file`, or `replicas` to 3 where several servers keep it",
                manual: "https://docs.nats.io/nats-concepts/jetstream/streams",
            },
            Self::QueueGroupBypassed => &About {
                name: "queue-group-bypassed",
                leads_to: "each message is handled twice: by a member, and by the one outside the group",
                remedy: "subscribe with the queue group everywhere, or on another subject",
                manual: "https://docs.nats.io/nats-concepts/core-nats/queue",
            },
            Self::SlowConsumer => &About {
                name: "slow-consumer",
                leads_to: "messages on the way to it are lost: core NATS keeps nothing",
                remedy: "read faster, or hand the work to others; use JetStream where nothing may be lost",
                manual: "https://docs.nats.io/running-a-nats-service/nats_admin/slow_consumers",
            },
        }
    }

    /// The one of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.about().name == name)
    }
}

/// What is said of a hazard.
#[derive(Debug, PartialEq, Eq)]
pub struct About {
    /// As fixtures name it.
    pub name: &'static str,
    /// What comes of it.
    pub leads_to: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// A page of the NATS manual.
    pub manual: &'static str,
}

/// What is done about hazards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hazards {
    /// Nobody looks.
    Ignore,
    /// They are told.
    #[default]
    Report,
    /// They turn the run red, but for those that are accepted.
    Fail(BTreeSet<HazardKind>),
}

impl Hazards {
    /// As fixtures and the command line say it.
    pub const WORDS: &[&str] = &["fail", "report", "ignore"];
}

impl std::str::FromStr for Hazards {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "fail" => Ok(Self::Fail(BTreeSet::new())),
            "report" => Ok(Self::Report),
            "ignore" => Ok(Self::Ignore),
            _ => Err(format!("expected one of {}", Self::WORDS.join(", "))),
        }
    }
}
