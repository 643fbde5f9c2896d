//! Durations in settings: `"250ms"`, `"5s"`, `"2m"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads a whole number with a unit: `ms`, `s`, `m` or `h`.
///
/// # Errors
/// A text that quotes what was given.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a duration: expected a whole number with ms, s, m or h, as in `250ms` or `5s`"
        )
    };
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(unit_at);
    let amount: u64 = digits.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    amount.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// For `#[serde(with = "…")]`.
///
/// # Errors
/// As [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// The same for a list.
pub mod list {
    use super::{Deserialize, Deserializer, Duration, parse};

    /// For `#[serde(with = "…")]`.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Duration>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|text| parse(text).map_err(serde::de::Error::custom))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "5", "s", "-5s", "1.5s", "5 s", "5d", "99999999999999999999s"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
