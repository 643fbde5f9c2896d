// Exact amounts: from what a caller gives to the digits on the wire, never by a binary float.

package client

import (
	"regexp"
	"strconv"
	"strings"
)

// DefaultCurrency is what a payment without a currency is in.
const DefaultCurrency = "USD"

const (
	// Digits before the point; more are refused, by the service too.
	maxWholeDigits = 15
	// Characters of an amount; more can only be zeros.
	maxLength = 40
)

// The grammar of JSON's numbers (RFC 8259, section 6), without the sign.
var decimal = regexp.MustCompile(`^(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?$`)

// AmountToken is the JSON number for a decimal text, with exactly the decimals that were given:
// "9.90" is 9.90. No binary float takes part.
//
// It refuses what is not a number, not above zero, has more than 15 digits before the point, or
// more decimals than the currency has; zeros at the end do not count.
func AmountToken(amount, currency string) (string, error) {
	decimals, ok := MinorUnits[currency]
	if !ok {
		return "", badInput("currency %q is not a known ISO 4217 code, as USD", excerpt(currency))
	}
	whole, fraction, err := exact(amount)
	if err != nil {
		return "", err
	}
	if strings.Trim(whole+fraction, "0") == "" {
		return "", badInput("amount %q is not above zero", excerpt(amount))
	}
	if len(whole) > maxWholeDigits {
		return "", badInput("amount %q has over %d digits before the point", excerpt(amount), maxWholeDigits)
	}
	if given := len(strings.TrimRight(fraction, "0")); given > decimals {
		return "", badInput("amount %q has %d decimals, and %s has %d", excerpt(amount), given, currency, decimals)
	}
	if fraction == "" {
		return whole, nil
	}
	return whole + "." + fraction, nil
}

// The digits of an amount on both sides of the point.
func exact(amount string) (whole, fraction string, err error) {
	parts := decimal.FindStringSubmatch(amount)
	if parts == nil {
		if strings.HasPrefix(amount, "-") && decimal.MatchString(amount[1:]) {
			return "", "", badInput("amount %q is not above zero", excerpt(amount))
		}
		return "", "", badInput("amount %q is not a decimal number, as 9.99", excerpt(amount))
	}
	exponent := 0
	if parts[3] != "" {
		exponent, _ = strconv.Atoi(parts[3]) // at most four digits
	}
	digits := parts[1] + parts[2]
	if len(digits) > maxLength || exponent > maxLength || exponent < -maxLength {
		return "", "", badInput("amount %q has too many digits", excerpt(amount))
	}
	point := len(parts[1]) + exponent
	if point <= 0 {
		digits = strings.Repeat("0", 1-point) + digits
		point = 1
	}
	if missing := point - len(digits); missing > 0 {
		digits += strings.Repeat("0", missing)
	}
	whole = strings.TrimLeft(digits[:point], "0")
	if whole == "" {
		whole = "0"
	}
	return whole, digits[point:], nil
}
