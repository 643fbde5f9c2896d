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
	// Beyond every amount that is accepted, and far from where an int overflows.
	maxExponent = 1 << 30
)

// The grammar of JSON's numbers (RFC 8259, section 6), without the sign.
var decimal = regexp.MustCompile(`^(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$`)

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
	digits, point, err := exact(amount)
	if err != nil {
		return "", err
	}
	first := strings.IndexAny(digits, "123456789")
	if first < 0 {
		return "", badInput("amount %q is not above zero", excerpt(amount))
	}
	// Before anything is written out: an exponent may be of any size.
	if point-first > maxWholeDigits {
		return "", badInput("amount %q has over %d digits before the point", excerpt(amount), maxWholeDigits)
	}
	if given := len(strings.TrimRight(digits, "0")) - point; given > decimals {
		word := "decimals"
		if given == 1 {
			word = "decimal"
		}
		return "", badInput("amount %q has %d %s, and %s has %d", excerpt(amount), given, word, currency, decimals)
	}
	if point <= 0 {
		digits, point = strings.Repeat("0", 1-point)+digits, 1
	}
	if missing := point - len(digits); missing > 0 {
		digits += strings.Repeat("0", missing)
	}
	whole, fraction := strings.TrimLeft(digits[:point], "0"), digits[point:]
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return whole, nil
	}
	return whole + "." + fraction, nil
}

// The digits of an amount, and how many of them stand before the point.
func exact(amount string) (digits string, point int, err error) {
	parts := decimal.FindStringSubmatch(amount)
	if parts == nil {
		if strings.HasPrefix(amount, "-") && decimal.MatchString(amount[1:]) {
			return "", 0, badInput("amount %q is not above zero", excerpt(amount))
		}
		return "", 0, badInput("amount %q is not a decimal number, as 9.99", excerpt(amount))
	}
	exponent := 0
	if parts[3] != "" {
		exponent, _ = strconv.Atoi(parts[3]) // out of range, it is the largest or the smallest
		exponent = max(-maxExponent, min(exponent, maxExponent))
	}
	return parts[1] + parts[2], len(parts[1]) + exponent, nil
}
