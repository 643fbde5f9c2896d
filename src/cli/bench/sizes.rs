//! How much is done in a round.

/// How much is done in a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Requests, for each number in flight: 1, 64, 256.
    pub(super) requests: [usize; 3],
    pub(super) emails: usize,
    /// Payments, for each window: 1, 64, 500.
    pub(super) payments: [usize; 3],
    /// The same where every write is synced.
    pub(super) synced_payments: [usize; 3],
    /// How many payments the ledger holds when it is audited, one after the other.
    pub(super) audited: &'static [usize],
    /// How many it holds when the rate is measured.
    pub(super) grown: &'static [usize],
    /// How many are handled before memory is measured again.
    pub(super) remembered: usize,
}

impl Sizes {
    pub(super) const WHOLE: Self = Self {
        requests: [3_000, 30_000, 60_000],
        emails: 50_000,
        payments: [2_000, 10_000, 10_000],
        synced_payments: [200, 1_000, 1_000],
        audited: &[1_000, 10_000, 100_000],
        grown: &[1_000, 10_000, 100_000],
        remembered: 100_000,
    };
    pub(super) const QUICK: Self = Self {
        requests: [200, 1_000, 1_000],
        emails: 2_000,
        payments: [100, 400, 400],
        synced_payments: [20, 100, 100],
        audited: &[500],
        grown: &[1_000, 2_000],
        remembered: 1_000,
    };
}
