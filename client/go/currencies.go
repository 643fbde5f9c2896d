// How many decimals each currency has.

package client

import "strings"

// MinorUnits is ISO 4217: how many decimals each currency has. Codes without minor units (gold,
// tests) are out.
var MinorUnits = minorUnits()

func minorUnits() map[string]int {
	units := make(map[string]int)
	for _, group := range []struct {
		decimals int
		codes    string
	}{
		{0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"},
		{2, `
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
BGN CUC HRK SLL ZWL`}, // the last line is not legal tender any more, but the service takes it
		{3, "BHD IQD JOD KWD LYD OMR TND"},
		{4, "CLF UYW"},
	} {
		for code := range strings.FieldsSeq(group.codes) {
			units[code] = group.decimals
		}
	}
	return units
}
