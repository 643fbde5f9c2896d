// Timeouts of a call: all languages read the same rows.

package driver

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"
)

func TestATimeoutGetsTheVerdictOfItsRow(t *testing.T) {
	data, err := os.ReadFile("../../../../tests/vectors/timeouts.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rows []struct {
			Name, Verdict string
			Timeout       json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Rows) < 20 {
		t.Fatalf("%d rows, %v", len(file.Rows), err)
	}
	for _, row := range file.Rows {
		seconds, err := given(row.Timeout)
		var limit time.Duration
		if err == nil {
			limit, err = duration(seconds)
		}
		if accepted := err == nil; accepted != (row.Verdict == "accept") {
			t.Errorf("%s: %v, %v", row.Name, limit, err)
		}
		if err == nil && (limit < 20*time.Second || limit > longest) {
			t.Errorf("%s: %v", row.Name, limit)
		}
	}
}

// given is the option as a command has it; JSON itself cannot carry `float`.
func given(timeout json.RawMessage) (float64, error) {
	var beyond struct{ Float string }
	if json.Unmarshal(timeout, &beyond) == nil && beyond.Float != "" {
		return map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[beyond.Float], nil
	}
	args := &arguments{values: fields{"timeout": timeout}}
	seconds := args.optionalNumber("timeout")
	if args.err != nil {
		return 0, args.err
	}
	return *seconds, nil
}
