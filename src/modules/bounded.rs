//! Numbers in settings that have bounds, as the flags for them have.

use std::ops::RangeInclusive;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Workers of a service in one process.
pub const WORKERS: RangeInclusive<u64> = 1..=256;
/// Copies of a stream: the server keeps 5 at most.
const REPLICAS: RangeInclusive<u64> = 1..=5;

/// For `#[serde(deserialize_with = "…")]`: as many workers as `--workers` takes.
///
/// # Errors
/// In the words that the flag's have.
pub fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(WORKERS, deserializer)
}

/// The same for copies of a stream.
///
/// # Errors
/// As [`workers`].
pub fn replicas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(REPLICAS, deserializer)
}

fn within<'de, D: Deserializer<'de>>(
    range: RangeInclusive<u64>,
    deserializer: D,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let (least, most) = (range.start(), range.end());
    let wrong = || {
        D::Error::custom(format!("expected a whole number from {least} to {most}, not {number}"))
    };
    let number = u64::try_from(number).ok().filter(|number| range.contains(number));
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(wrong)
}
