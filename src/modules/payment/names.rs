//! What the streams of payments and their consumer are called.

/// The stream of outcomes.
pub const LEDGER: &str = "payment-ledger";
/// The stream of claims.
pub const INTENTS: &str = "payment-intents";
/// The stream of submissions that are not settled yet.
pub const REQUESTS: &str = "payment-requests";

/// The stream that counts the failures of submissions, and tells which dead letters `dlq` removed.
pub const FAILURES: &str = "payment-failures";

/// Streams that are made together are made within this time, in nanoseconds; the servers of a cluster may
/// differ on it.
pub(super) const TOGETHER_NS: i64 = 60_000_000_000;

/// A server must take messages of so many bytes, its `max_payload`: what is written down of a payment
/// is longer than its submission, and where it does not fit, a charge has no outcome for ever.
pub const LEAST_PAYLOAD: usize = 8192;

/// The durable consumer that all workers of all instances share.
pub const CONSUMER: &str = "payment-payment-process";
/// The stream of dead letters.
pub const DEAD_LETTERS: &str = "payment-dead-letters";
