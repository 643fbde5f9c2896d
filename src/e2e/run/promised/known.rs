//! What a stream was when it was first seen: one that is made anew, or counts from another message on,
//! has lost what it had without a word.

use async_nats::jetstream::stream::Info;

/// What does not change while a stream keeps all that it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    created_ns: i128,
    /// Messages before it were never there.
    first: u64,
    /// The last message that was seen.
    last: u64,
}

impl Known {
    /// As a stream is now.
    pub(super) fn of(info: &Info) -> Self {
        Self {
            created_ns: info.created.unix_timestamp_nanos(),
            first: info.config.first_sequence.unwrap_or(1).max(1),
            last: info.state.last_sequence,
        }
    }

    /// Whether another stream stands under the same name now, or one that has lost its last messages. In a
    /// cluster, a node that led it before it was cut off may still answer, and has fewer.
    pub(super) fn is_anew(&mut self, info: &Info) -> bool {
        let now = Self::of(info);
        let has_fewer = info.cluster.is_none() && now.last < self.last;
        let is_anew = now.created_ns != self.created_ns || has_fewer;
        self.last = self.last.max(now.last);
        is_anew
    }

    /// How many messages a stream has no more.
    pub(super) fn removed(&self, info: &Info) -> u64 {
        let ever = info.state.last_sequence.saturating_sub(self.first - 1);
        ever.saturating_sub(info.state.messages)
    }
}
