//! Numbers in settings with the same limits as their flags.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::duration;

/// Workers of a service in one process.
pub const WORKERS: RangeInclusive<u64> = 1..=256;
/// How many messages a consumer lets be unacknowledged at once.
const IN_HAND: u64 = 4096;
/// Copies of a stream: the server keeps 5 at most.
const REPLICAS: RangeInclusive<u64> = 1..=5;

/// For `#[serde(deserialize_with = "…")]`: as many workers as `--workers` takes.
///
/// # Errors
/// The same words as the flag's error.
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

/// The same for unacknowledged messages at once: the consumer allows no more.
///
/// # Errors
/// As [`workers`].
pub fn concurrency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(1..=IN_HAND, deserializer)
}

/// The same for a count of at least 1.
///
/// # Errors
/// As [`workers`].
pub fn once_at_least<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(1..=u64::MAX, deserializer)
}

/// The same for a percentage.
///
/// # Errors
/// As [`workers`].
pub fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    within(0..=100, deserializer)
}

/// The same for a duration above zero.
///
/// # Errors
/// As [`duration::parse`], or that it is 0.
pub fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let found = duration::deserialize(deserializer)?;
    if found.is_zero() { Err(D::Error::custom("must be above 0")) } else { Ok(found) }
}

fn within<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    range: RangeInclusive<u64>,
    deserializer: D,
) -> Result<T, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let within = u64::try_from(number).ok().filter(|number| range.contains(number));
    within.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        D::Error::custom(match range.into_inner() {
            (least, u64::MAX) => format!("expected a whole number from {least} up, not {number}"),
            (least, most) => {
                format!("expected a whole number from {least} to {most}, not {number}")
            }
        })
    })
}
