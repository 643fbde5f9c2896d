//! Whether a fault of a network has reached anybody: one that broke nothing has proved nothing.

use super::fault::What;
use crate::broker::proxy::{Counts, Gauge};
use crate::counted::counted;

/// What a fault of a network has reached, for as long as it lasts.
#[derive(Debug)]
pub struct Reach {
    what: What,
    gauges: Vec<Gauge>,
    before: u64,
    state: State,
}

/// Whether it can still reach anybody.
#[derive(Debug)]
enum State {
    Lasts,
    Over {
        /// Why it has reached nobody, if that is so.
        unmet: Option<String>,
    },
}

impl Reach {
    /// From now on; `None` of what cannot be seen (a connection that the system refuses nobody counts), or
    /// is over at once.
    pub(super) fn begin(what: What, gauges: Vec<Gauge>) -> Option<Self> {
        let is_seen = matches!(
            what,
            What::Delay { .. }
                | What::Chop { .. }
                | What::BlackHole
                | What::HalfOpen(_)
                | What::CutAfter { .. }
        );
        let before = reached(what, &gauges);
        is_seen.then_some(Self { what, gauges, before, state: State::Lasts })
    }

    /// It is over: what comes later it has not reached.
    pub fn end(&mut self) {
        self.state = State::Over { unmet: self.unmet() };
    }

    /// Why it has reached nobody, if that is so.
    #[must_use]
    pub fn unmet(&self) -> Option<String> {
        if let State::Over { unmet } = &self.state {
            return unmet.clone();
        }
        if let What::CutAfter { .. } = self.what {
            let left = before_cut(self.gauges.iter().map(Gauge::bytes_before_cut))?;
            return Some(format!("cut nothing: {} had to pass first", counted(left, "more byte")));
        }
        (reached(self.what, &self.gauges) == self.before)
            .then(|| "hit nothing: not a byte came its way while it lasted".to_owned())
    }
}

/// How many bytes, or connections, faults of this kind have reached so far.
fn reached(what: What, gauges: &[Gauge]) -> u64 {
    let of = |counts: Counts| match what {
        What::Delay { .. } => counts.bytes_delayed,
        What::Chop { .. } => counts.bytes_chopped,
        // Whoever connects then says nothing before it is greeted.
        What::BlackHole => counts.bytes_swallowed + counts.accepted,
        What::HalfOpen(_) => counts.bytes_swallowed,
        _ => 0,
    };
    gauges.iter().map(|gauge| of(gauge.counts())).sum()
}

/// How many bytes are still to pass, where a connection was to be cut and none was: somebody has a
/// connection through one of the proxies only.
pub(super) fn before_cut(proxies: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let left: Option<Vec<u64>> = proxies.collect();
    left?.into_iter().min()
}
