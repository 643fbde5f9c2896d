// The vectors that all languages share: tests/vectors/, from the root of the repository.

package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Text is a string, or parts that repeat, or bytes.
type text struct{ bytes []byte }

func (t *text) UnmarshalJSON(data []byte) error {
	var plain string
	if json.Unmarshal(data, &plain) == nil {
		t.bytes = []byte(plain)
		return nil
	}
	var other struct {
		Parts  [][2]any
		Base64 string
	}
	if err := json.Unmarshal(data, &other); err != nil {
		return err
	}
	for _, part := range other.Parts {
		t.bytes = append(t.bytes, strings.Repeat(part[0].(string), int(part[1].(float64)))...)
	}
	if other.Parts == nil {
		decoded, err := base64.StdEncoding.DecodeString(other.Base64)
		t.bytes = decoded
		return err
	}
	return nil
}

func (t text) String() string { return string(t.bytes) }

type vector struct {
	Group, Verdict, Form                            string
	Input, Currency, Value, To, Subject, Body, Name text
	Fields                                          map[string]text
}

func shared(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("../../tests/vectors/" + name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var file struct {
		Groups  map[string]struct{ Languages []string }
		Vectors []vector
	}
	shared(t, "bad-input.json", &file)
	mine := slices.DeleteFunc(file.Vectors, func(v vector) bool {
		// In Go an empty Currency is one that is left out, so that it cannot be refused.
		currency, given := v.Fields["currency"]
		emptyCurrency := v.Group == "payment" && given && len(currency.bytes) == 0
		return emptyCurrency || !slices.Contains(file.Groups[v.Group].Languages, "go")
	})
	if len(mine) < 250 {
		t.Fatalf("only %d vectors", len(mine))
	}
	return mine
}

// judge returns the value of an amount, or what refuses the vector.
func judge(v vector) (string, error) {
	switch v.Group {
	case "payment_id":
		return "", checkPaymentID(v.Input.String())
	case "amount":
		amount := v.Input.String()
		if v.Form == "number" {
			// The caller must have a number to give; white space around it is none of it.
			if !json.Valid(v.Input.bytes) {
				return "", badInput("not JSON")
			}
			amount = strings.TrimSpace(amount)
		}
		return AmountToken(amount, v.Currency.String())
	case "payment":
		field := func(name string) string { return v.Fields[name].String() }
		_, err := Payment{
			field("payment_id"), field("user_id"), field("subscription_id"), field("amount"), field("currency"),
		}.message()
		return "", err
	case "email":
		_, err := Email{v.To.String(), v.Subject.String(), v.Body.String()}.message()
		return "", err
	case "json":
		var any map[string]json.RawMessage
		return "", decode(v.Input.bytes, &any)
	case "subject":
		return "", checkPublishSubject(v.Input.String())
	case "header":
		_, err := NewMsg("a", nil, map[string][]string{v.Name.String(): {v.Value.String()}})
		return "", err
	default:
		panic("no such group: " + v.Group)
	}
}

// wrong says what is wrong with the verdict, or nothing.
func wrong(v vector) string {
	value, err := judge(v)
	switch {
	case err != nil && v.Verdict == "accept":
		return err.Error()
	case err == nil && v.Verdict != "accept":
		return "accepted: " + value
	case err == nil && v.Group == "amount" && plain(value) != plain(v.Value.String()):
		return "its value is " + value
	}
	return ""
}

// plain is an amount without zeros that say nothing.
func plain(amount string) string {
	if strings.Contains(amount, ".") {
		amount = strings.TrimRight(strings.TrimRight(amount, "0"), ".")
	}
	return amount
}

func show(v vector) string { return fmt.Sprintf("%.200s", fmt.Sprintf("%+v", v)) }

func TestEveryVectorOfBadInputGetsItsVerdict(t *testing.T) {
	for _, v := range vectors(t) {
		if fault := wrong(v); fault != "" {
			t.Errorf("%s: %.200s", show(v), fault)
		}
	}
}

func TestAVectorWithTheOppositeVerdictIsTold(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Verdict == "accept" {
			v.Verdict = "reject"
		} else {
			v.Verdict = "accept"
		}
		if wrong(v) == "" {
			t.Errorf("not told: %s", show(v))
		}
	}
}

func TestTheTableOfCurrenciesIsTheSharedOne(t *testing.T) {
	var file struct{ Decimals map[string]int }
	shared(t, "currencies.json", &file)
	if !maps.Equal(file.Decimals, MinorUnits) {
		t.Errorf("%v", MinorUnits)
	}
}

func TestASubscriptionGetsTheVerdictOfItsRow(t *testing.T) {
	var file struct {
		Rows []struct {
			Name, Verdict string
			Subject       text
			QueueGroup    text `json:"queue_group"`
		}
	}
	shared(t, "subscriptions.json", &file)
	if len(file.Rows) < 80 {
		t.Fatalf("only %d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		err := checkSubscription(row.Subject.String(), row.QueueGroup.String())
		if accepted := err == nil; accepted != (row.Verdict == "accept") {
			t.Errorf("%s: %v", row.Name, err)
		}
	}
}

func TestTheWordsOfAServerNameTheSubjectOfTheirRow(t *testing.T) {
	var file struct{ Rows [][2]*string }
	shared(t, "permissions.json", &file)
	if len(file.Rows) < 40 {
		t.Fatalf("only %d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		words, expected := *row[0], row[1]
		subscription, subject, named := violated(words)
		if named != (expected != nil) || named && subject != *expected {
			t.Errorf("%s: %q, %t", words, subject, named)
		}
		if named && subscription == strings.Contains(words, "for Publish") {
			t.Errorf("%s: subscription is %t", words, subscription)
		}
	}
}
