//! Money: an exact decimal of an ISO 4217 currency, never a binary float.

use std::borrow::Cow;

use iso_currency::Currency;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::counted::counted;

/// An amount above zero with no more decimals than its currency has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// Why an amount or a currency is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Neither a JSON number nor a decimal string.
    #[error("field `amount`: {0} is not a decimal number")]
    NotANumber(String),
    /// Zero or less.
    #[error("field `amount`: {0} is not above 0")]
    NotPositive(String),
    /// Finer than the currency's minor unit.
    #[error("field `amount`: {amount} has {}, and {currency} has {allowed}", counted(*decimals, "decimal"))]
    TooFine {
        /// The amount as it was given.
        amount: String,
        /// Its decimals, trailing zeros left out.
        decimals: u32,
        /// The currency.
        currency: &'static str,
        /// What the currency allows.
        allowed: u32,
    },
    /// More digits than an exact decimal holds.
    #[error("field `amount`: {0} is too large: at most 15 digits before the point")]
    TooLarge(String),
    /// Not an ISO 4217 code of a currency with a minor unit.
    #[error("field `currency`: {0:?} is not an ISO 4217 currency code, as USD")]
    Currency(String),
}

/// Digits before the point; a binary64 reader of our replies is still exact to the cent.
const MAX_WHOLE_DIGITS: usize = 15;

impl Money {
    /// Reads `amount`, the text of a JSON number or what stands between a JSON string's quotes.
    ///
    /// The grammar is that of a JSON number (RFC 8259, section 6), so `1e2` is 100 and `+1`,
    /// `.5`, `1_000` and `NaN` are refused. Trailing zeros count for nothing: 9.990 is 9.99.
    ///
    /// # Errors
    /// [`MoneyError`] quotes what was given.
    ///
    /// ```
    /// use mono_demo::modules::payment::Money;
    /// assert_eq!(Money::parse("9.99", "USD").unwrap().to_string(), "9.99 USD");
    /// assert!(Money::parse("9.999", "USD").is_err());
    /// assert!(Money::parse("100.5", "JPY").is_err());
    /// ```
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let code = currency;
        let shown = || crate::wire::headers::bounded(amount, 40);
        let currency = Currency::from_code(code)
            .filter(|c| c.code() == code)
            .ok_or_else(|| MoneyError::Currency(crate::wire::headers::bounded(code, 20)))?;
        let allowed = currency.exponent().ok_or_else(|| MoneyError::Currency(code.to_owned()))?;
        let allowed = u32::from(allowed);
        let number = Number::read(amount).ok_or_else(|| MoneyError::NotANumber(shown()))?;
        if number.negative || number.digits.is_empty() {
            return Err(MoneyError::NotPositive(shown()));
        }
        if number.whole_digits() > MAX_WHOLE_DIGITS as i64 {
            return Err(MoneyError::TooLarge(shown()));
        }
        let decimals = number.decimals();
        if decimals > i64::from(allowed) {
            return Err(MoneyError::TooFine {
                amount: shown(),
                decimals: u32::try_from(decimals).unwrap_or(u32::MAX),
                currency: currency.code(),
                allowed,
            });
        }
        let amount = number.exact().ok_or_else(|| MoneyError::TooLarge(shown()))?;
        Ok(Self { amount, currency })
    }

    /// The amount without trailing zeros.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The ISO 4217 code.
    pub fn currency(&self) -> &'static str {
        self.currency.code()
    }

    /// The amount with exactly the currency's decimals, as `10.00`.
    pub fn amount_text(&self) -> String {
        let decimals = self.currency.exponent().map_or(0, u32::from);
        let mut amount = self.amount;
        amount.rescale(decimals);
        amount.to_string()
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount_text(), self.currency())
    }
}

/// A JSON number taken apart: its significant digits and where the point stands.
struct Number {
    negative: bool,
    /// Without leading and trailing zeros; empty for zero.
    digits: String,
    /// The value is `0.digits × 10^point`.
    point: i64,
}

impl Number {
    fn read(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                // An exponent of more than 18 digits is as far out of range as one of 18.
                let size = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
                (mantissa, if exponent.starts_with('-') { -size } else { size })
            }
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (mantissa, ""),
        };
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let leading = (digits.len() - significant.len()) as i64;
        let point = (whole.len() as i64 - leading).saturating_add(exponent);
        Some(Self { negative, digits: significant.trim_end_matches('0').to_owned(), point })
    }

    fn whole_digits(&self) -> i64 {
        self.point.max(0)
    }

    fn decimals(&self) -> i64 {
        (self.digits.len() as i64).saturating_sub(self.point).max(0)
    }

    fn exact(&self) -> Option<Decimal> {
        let scale = (self.digits.len() as i64).checked_sub(self.point)?;
        let mantissa: i128 = self.digits.parse().ok()?;
        let (mantissa, scale) = if scale < 0 {
            (mantissa.checked_mul(10_i128.checked_pow(u32::try_from(-scale).ok()?)?)?, 0)
        } else {
            (mantissa, u32::try_from(scale).ok()?)
        };
        Decimal::try_from_i128_with_scale(mantissa, scale).ok()
    }
}

/// An amount as a JSON number with exactly the digits it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact(pub String);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.get().to_owned()))
    }
}

impl JsonSchema for Exact {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The amount, with exactly the decimals of its currency.",
            "type": "number",
            "exclusiveMinimum": 0,
        })
    }
}

/// An amount as it may be asked for, in a schema.
pub(super) struct AskedAmount;

impl JsonSchema for AskedAmount {
    fn schema_name() -> Cow<'static, str> {
        "AskedAmount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Above 0, with no more decimals than the currency has; read exactly, \
                            never through a binary float.",
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Result<String, MoneyError> {
        Money::parse(text, "USD").map(|m| m.amount_text())
    }

    #[test]
    fn amounts_are_read_exactly() {
        for (text, expected) in [
            ("9.99", "9.99"),
            ("10", "10.00"),
            ("0.01", "0.01"),
            ("9.990", "9.99"),
            ("1e2", "100.00"),
            ("1E+2", "100.00"),
            ("1999e-2", "19.99"),
            ("0.1e1", "1.00"),
            ("999999999999999.99", "999999999999999.99"),
            ("100000000000000", "100000000000000.00"),
        ] {
            assert_eq!(usd(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        for text in [
            "", "abc", "+1", ".5", "5.", "01", "1_000", "NaN", "Infinity", "1e", "0x10", " 1",
            "--1", "1.2.3", "١",
        ] {
            assert!(matches!(usd(text), Err(MoneyError::NotANumber(_))), "{text:?}");
        }
        for text in ["0", "-0", "0.00", "-1", "-9.99", "0e5"] {
            assert!(matches!(usd(text), Err(MoneyError::NotPositive(_))), "{text}");
        }
        for text in ["9.999", "0.001", "1e-3", "1e-999999999999999999999"] {
            assert!(matches!(usd(text), Err(MoneyError::TooFine { .. })), "{text}");
        }
        for text in ["1e400", "1e999999999999999999999", "9999999999999999"] {
            assert!(matches!(usd(text), Err(MoneyError::TooLarge(_))), "{text}");
        }
    }

    #[test]
    fn the_currency_decides_the_decimals() {
        assert!(Money::parse("100", "JPY").is_ok());
        assert!(Money::parse("100.5", "JPY").is_err());
        assert!(Money::parse("1.234", "KWD").is_ok());
        for code in ["", "usd", "US", "XYZ", "USDX", "XXX", "💶"] {
            assert!(matches!(Money::parse("1", code), Err(MoneyError::Currency(_))), "{code:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_never_panics(text in ".{0,60}") {
            let _ = Money::parse(&text, "USD");
        }

        #[test]
        fn cents_come_back_as_they_went(cents in 1u64..99_999_999_999_999) {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            proptest::prop_assert_eq!(usd(&text), Ok(text));
        }
    }
}
