// The replies of the original server, which differ from ours in places: all languages read the same rows.

package client

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

type originalRow struct {
	Name, Method string
	Args         []any
	Value        json.RawMessage
	answer
	outcome
}

// returned is what a method of the math client makes of the body: a value as JSON reads it, or a failure.
func (row originalRow) returned(t *testing.T) (any, *outcome) {
	t.Helper()
	nc, err := nats.Connect(answers(t, row.answer))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	asks := NewMath(nc)
	number := func(n int) float64 {
		if value, ok := row.Args[n].(float64); ok {
			return value
		}
		return math.NaN()
	}
	var value any
	switch row.Method {
	case "add":
		value, err = asks.Add(ctx, number(0), number(1))
	case "subtract":
		value, err = asks.Subtract(ctx, number(0), number(1))
	case "multiply":
		value, err = asks.Multiply(ctx, number(0), number(1))
	case "power":
		value, err = asks.Power(ctx, number(0), number(1))
	case "divide":
		value, err = asks.Divide(ctx, number(0), number(1))
	case "sqrt":
		value, err = asks.Sqrt(ctx, number(0))
	case "calculate":
		var b *float64
		if len(row.Args) > 2 {
			second := number(2)
			b = &second
		}
		value, err = asks.Calculate(ctx, row.Args[0].(string), number(1), b)
	default:
		t.Fatalf("no such method: %s", row.Method)
	}
	if err != nil {
		failed := failure(t, err)
		return nil, &failed
	}
	return asJSON(t, value), nil
}

func asJSON(t *testing.T, value any) (read any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestAReplyOfTheOriginalServerIsWhatItsRowSaysAndADoctoredRowIsTold(t *testing.T) {
	var file struct{ Rows []originalRow }
	shared(t, "original.json", &file)
	if len(file.Rows) < 70 {
		t.Fatalf("only %d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		value, failed := row.returned(t)
		wanted := asJSON(t, row.Value)
		switch {
		case failed == nil && (row.Kind != "" || !reflect.DeepEqual(value, wanted)):
			t.Errorf("%s: %v", row.Name, value)
		case failed == nil && reflect.DeepEqual(value, 99.0):
			t.Errorf("%s: a doctored row is not told", row.Name)
		case failed != nil && row.differs(*failed) != "":
			t.Errorf("%s: %+v", row.Name, *failed)
		case failed != nil && (outcome{Kind: "timeout"}).differs(*failed) == "":
			t.Errorf("%s: a doctored row is not told", row.Name)
		}
	}
}
