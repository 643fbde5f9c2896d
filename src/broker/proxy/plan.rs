//! What the network does just now, and the dice for what is left to chance.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::direction::Direction;
use super::messages::rule::MessageRule;
use super::messages::tap::Tap;
use crate::seeded::Dice;

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Both ends see an orderly end, in the middle of whatever it was (FIN).
    Finish,
    /// Both ends see "connection reset by peer" (RST).
    Reset,
}

/// What the network does just now.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Where new connections go.
    pub(super) target: SocketAddr,
    /// How long bytes take, each way.
    pub(super) delay: RangeInclusive<Duration>,
    /// What clients send is swallowed.
    pub(super) swallow_to_server: bool,
    /// What the server sends is swallowed.
    pub(super) swallow_to_client: bool,
    /// Writes of at most so many bytes, and the pause after each.
    pub(super) trickle: Option<(usize, Duration)>,
    /// New connections are refused.
    pub(super) refuse: bool,
    /// How often all connections were cut, and how the last time.
    pub(super) cuts: (u64, Cut),
    /// One connection is to be cut after so many more bytes.
    pub(super) budget: Option<(Direction, u64)>,
    /// What becomes of messages; those that are over among them.
    pub(super) rules: Vec<Arc<MessageRule>>,
    /// Who hears every message.
    pub(super) tap: Option<Arc<Tap>>,
}

impl Plan {
    pub(super) fn healthy(target: SocketAddr) -> Plan {
        Plan {
            target,
            delay: Duration::ZERO..=Duration::ZERO,
            swallow_to_server: false,
            swallow_to_client: false,
            trickle: None,
            refuse: false,
            cuts: (0, Cut::Reset),
            budget: None,
            rules: Vec::new(),
            tap: None,
        }
    }

    /// No fault any more; where it goes, who hears it and what has been, stays.
    pub(super) fn heal(&mut self) {
        let (cuts, tap) = (self.cuts, self.tap.take());
        *self = Plan { cuts, tap, ..Plan::healthy(self.target) };
    }

    pub(super) fn swallows(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.swallow_to_server,
            Direction::ToClient => self.swallow_to_client,
        }
    }

    pub(super) fn is_black_hole(&self) -> bool {
        self.swallow_to_server && self.swallow_to_client
    }

    /// How many of `wanted` bytes may pass, and whether the connection is cut after them. A budget
    /// that is used up is gone: it cuts once.
    pub(super) fn spend(&mut self, direction: Direction, wanted: usize) -> (usize, bool) {
        let Some((_, left)) = self.budget.as_mut().filter(|(way, _)| *way == direction) else {
            return (wanted, false);
        };
        let allowed = usize::try_from(*left).unwrap_or(usize::MAX).min(wanted);
        *left -= allowed as u64;
        let cut = *left == 0;
        if cut {
            self.budget = None;
        }
        (allowed, cut)
    }
}

/// Dice of their own for each use, so that what happens elsewhere changes nothing here.
pub(in crate::broker) fn dice(seed: u64, number: u64, direction: Direction) -> Dice {
    let mut dice = Dice::new(seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407));
    Dice::new(dice.draw() ^ direction as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolls(seed: u64, number: u64, direction: Direction) -> Vec<u64> {
        let mut dice = dice(seed, number, direction);
        (0..20).map(|_| dice.within(&(10..=19))).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
        let rolled = rolls(7, 1, Direction::ToServer);
        assert_eq!(rolled, rolls(7, 1, Direction::ToServer));
        assert_ne!(rolled, rolls(8, 1, Direction::ToServer));
        assert_ne!(rolled, rolls(7, 2, Direction::ToServer));
        assert_ne!(rolled, rolls(7, 1, Direction::ToClient));
        assert!(rolled.iter().all(|n| (10..=19).contains(n)));
    }

    #[test]
    fn a_range_of_one_and_the_widest_range_have_numbers() {
        let mut dice = dice(1, 1, Direction::ToClient);
        assert_eq!(dice.within(&(5..=5)), 5);
        dice.within(&(0..=u64::MAX));
    }

    #[test]
    fn a_budget_cuts_once_and_in_its_direction_only() {
        let mut plan = Plan::healthy(([127, 0, 0, 1], 1).into());
        plan.budget = Some((Direction::ToServer, 10));
        assert_eq!(plan.spend(Direction::ToClient, 99), (99, false));
        assert_eq!(plan.spend(Direction::ToServer, 4), (4, false));
        assert_eq!(plan.spend(Direction::ToServer, 99), (6, true));
        assert_eq!(plan.spend(Direction::ToServer, 99), (99, false));
    }
}
