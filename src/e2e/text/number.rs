//! Numbers of JSON in one form, with all their digits: `15`, `15.0` and `1.5e1` are all `15`.

/// A whole number that ends with more zeros is written with an exponent.
const MOST_ZEROS: i64 = 20;
/// So is one with more zeros after the point.
const MOST_SMALL_ZEROS: i64 = 6;

/// The one form of a number of JSON. No digit that counts is lost, so two are equal exactly if their
/// forms are.
///
/// ```text
/// 1.50 → 1.5   -0.0 → 0   2E3 → 2000   1e30 → 1e30   12e-9 → 1.2e-8
/// ```
pub(in crate::e2e) fn normal(literal: &str) -> String {
    let (sign, unsigned) = match literal.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", literal),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    let leading = i64::try_from(all.len() - digits.len()).unwrap_or(i64::MAX);
    // Where the point is, counted from the first digit. An exponent that is no i64 is beyond anybody's
    // use, and stays as it is written.
    let whole = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let point = exponent.parse::<i64>().ok().and_then(|e| e.checked_add(whole - leading));
    let Some(point) = point else { return literal.to_owned() };
    let digits = digits.trim_end_matches('0');
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    match point {
        _ if point >= length && point - length <= MOST_ZEROS => {
            format!("{sign}{digits}{}", zeros(point - length))
        }
        _ if point > 0 && point < length => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
            format!("{sign}{whole}.{fraction}")
        }
        _ if point <= 0 && -point <= MOST_SMALL_ZEROS => {
            format!("{sign}0.{}{digits}", zeros(-point))
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{}", point - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_form_and_others_another() {
        for (form, all) in [
            ("15", &["15", "15.0", "1.5e1", "150E-1", "15.00e+0"][..]),
            ("0", &["0", "-0", "0.0", "-0.0e5", "0e99999999999999999999"]),
            ("-1.5", &["-1.5", "-15e-1", "-1.50"]),
            ("0.1", &["0.1", "1e-1", "0.10"]),
            ("0.10000000000000000001", &["0.10000000000000000001"]),
            ("12345678901234567.89", &["12345678901234567.89", "1234567890123456789e-2"]),
            ("123456789012345678901234567890", &["123456789012345678901234567890"]),
            ("100000000000000000000", &["1e20", "100000000000000000000"]),
            ("1e30", &["1e30", "1000000000000000000000000000000", "10E29"]),
            ("1.2e-8", &["12e-9", "0.000000012"]),
            ("0.0000001", &["1e-7"]),
            ("1e400", &["1e400", "10e399"]),
        ] {
            for literal in all {
                assert_eq!(normal(literal), form, "{literal}");
            }
        }
        // Nobody can count so far.
        assert_eq!(normal("1e99999999999999999999"), "1e99999999999999999999");
    }

    proptest::proptest! {
        #[test]
        fn the_form_is_the_same_double_and_its_own_form(double in proptest::num::f64::NORMAL) {
            let form = normal(&serde_json::json!(double).to_string());
            assert_eq!(form.parse::<f64>().unwrap(), double);
            assert_eq!(normal(&form), form);
        }
    }
}
