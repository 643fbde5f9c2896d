//! Reads everything that the broker has carried, for checks that hold it against a schema.

use super::broker_trace::carried;
use crate::e2e::run::stage::world::World;
use crate::e2e::text::schema::Schema;
use crate::e2e::verdict::checks::drift::{Found, hold};

/// More of the broker's trace is not read.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Looks at everything that the broker has carried so far.
///
/// # Errors
/// Why the broker's trace cannot be read, in words.
pub(in crate::e2e) fn look(
    world: &World,
    subject: &str,
    messages: &[Schema],
    replies: &[Schema],
) -> Result<Found, String> {
    let mut reading = world.watches().traced();
    for path in world.brokers.log_paths() {
        let whole = reading.read_on(path, MOST_BYTES);
        let whole = whole.map_err(|e| format!("cannot read the broker's trace: {e}"))?;
        if !whole {
            let most = MOST_BYTES >> 20;
            return Err(format!(
                "the broker's trace is longer than {most} MiB: not every message on {subject} can be held against a schema"
            ));
        }
    }
    Ok(hold(&carried::carried(reading.lines()), subject, messages, replies))
}
