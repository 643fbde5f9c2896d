// Amounts stay exact from what a caller gives to the digits on the wire.

package client

import "testing"

func TestAnAmountKeepsItsDigits(t *testing.T) {
	for given, written := range map[string]string{
		"9.90":               "9.90",
		"1E+2":               "100",
		"0.001e3":            "1",
		"15e-1":              "1.5",
		"123456789012345.10": "123456789012345.10",
	} {
		token, err := AmountToken(given, "USD")
		if err != nil || token != written {
			t.Errorf("%s: %s, %v", given, token, err)
		}
	}
}

func TestWhatIsNoAmountIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for _, given := range []string{"0", "0.00", "-1", "NaN", "1e15", "9.999", "", " 1", "1e-400", "0x1"} {
		if token, err := AmountToken(given, "USD"); !is(err, BadInput) || !IsDefinite(err) {
			t.Errorf("%s: %s, %v", given, token, err)
		}
	}
	if _, err := AmountToken("9.5", "JPY"); !is(err, BadInput) {
		t.Errorf("yen: %v", err)
	}
	if _, err := AmountToken("9", "usd"); !is(err, BadInput) {
		t.Errorf("usd: %v", err)
	}
}
