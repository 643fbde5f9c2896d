//! Amounts in a history: exact decimals, kept as text on the line and compared by value.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::e2e::record::history::Text;

/// An exact amount. `9.990` equals `9.99`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(Decimal);

/// Not an exact decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an exact decimal, as 9.99")]
pub struct AmountError(String);

impl Amount {
    /// The sum; `None` where it has more digits than can be kept exactly.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl From<Decimal> for Amount {
    fn from(amount: Decimal) -> Self {
        Self(amount)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError(crate::wire::headers::bounded(text, 40));
        let digits = text.strip_prefix('-').unwrap_or(text);
        // `Decimal` also takes `+1`, `1_000` and `.5`.
        let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit());
        if !plain {
            return Err(wrong());
        }
        Decimal::from_str_exact(text).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_by_value_and_read_exactly() {
        let amount = |text: &str| text.parse::<Amount>();
        assert_eq!(amount("9.990"), amount("9.99"));
        assert_ne!(amount("9.99"), amount("9.98"));
        assert_eq!(amount("999999999999999.9999").unwrap().to_string(), "999999999999999.9999");
        for bad in [
            "",
            ".5",
            "5.",
            "+1",
            "1_000",
            "1e2",
            "NaN",
            " 1",
            "1.2.3",
            "-",
            "1".repeat(40).as_str(),
        ] {
            assert!(amount(bad).is_err(), "{bad:?}");
        }
        let sum = amount("0.1").unwrap().checked_add(amount("0.2").unwrap());
        assert_eq!(sum, amount("0.3").ok());
    }
}
