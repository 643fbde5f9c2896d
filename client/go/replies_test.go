// What the clients make of replies, and what a wait rides out: all languages read the same rows.

package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

type outcome struct {
	Kind, Message, Value string
	// Words that are in the message.
	Says     string
	Definite *bool
	Code     int
}

type replyRow struct {
	Name, Ask string
	answer
	outcome
}

// ask is what the client makes of it, in the row's own words.
func (row replyRow) seen(t *testing.T) outcome {
	nc, err := nats.Connect(answers(t, row.answer))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	timeout := 20 * time.Second
	if row.Body == nil {
		timeout = 200 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	value := ""
	switch row.Ask {
	case "add":
		var sum float64
		sum, err = NewMath(nc).Add(ctx, 1, 2)
		value = fmt.Sprint(sum)
	case "status":
		var status *Status
		if status, err = NewPayment(nc).Status(ctx, "p"); err == nil {
			value = status.Status
		}
	case "submit":
		var ack *Ack
		if ack, err = NewPayment(nc).Submit(ctx, Payment{ID: "p", Amount: "1"}); err == nil {
			value = fmt.Sprint(ack.Sequence)
		}
	}
	if err == nil {
		return outcome{Kind: "ok", Value: value}
	}
	return failure(t, err)
}

func failure(t *testing.T, err error) outcome {
	t.Helper()
	var known *Error
	if !errors.As(err, &known) {
		t.Fatal(err)
	}
	return outcome{Kind: string(known.Kind), Message: known.Message, Definite: &known.Definite, Code: known.Code}
}

// differs says in what, or nothing; what the row leaves open may be anything.
func (row outcome) differs(seen outcome) string {
	switch {
	case row.Kind != seen.Kind:
		return "kind"
	case row.Definite != nil && (seen.Definite == nil || *row.Definite != *seen.Definite):
		return "definite"
	case row.Code != 0 && row.Code != seen.Code:
		return "code"
	case row.Message != "" && row.Message != seen.Message:
		return "message"
	case row.Value != "" && row.Value != seen.Value:
		return "value"
	case !strings.Contains(seen.Message, row.Says):
		return "says"
	}
	return ""
}

func TestAReplyIsWhatItsRowSaysAndADoctoredRowIsTold(t *testing.T) {
	var file struct{ Rows []replyRow }
	shared(t, "error-kinds.json", &file)
	if len(file.Rows) < 50 {
		t.Fatalf("only %d rows", len(file.Rows))
	}
	for _, row := range file.Rows {
		seen := row.seen(t)
		if field := row.differs(seen); field != "" {
			t.Errorf("%s: %s in %+v", row.Name, field, seen)
			continue
		}
		doctored := row.outcome
		doctored.Kind = "bad_input"
		if doctored.differs(seen) != "kind" {
			t.Errorf("%s: another kind is not told", row.Name)
		}
		if doctored = row.outcome; doctored.Definite != nil {
			opposite := !*doctored.Definite
			doctored.Definite = &opposite
			if doctored.differs(seen) != "definite" {
				t.Errorf("%s: the opposite is not told", row.Name)
			}
		}
	}
}

func TestAWaitRidesOutWhatItsRowSaysAndADoctoredRowIsTold(t *testing.T) {
	var file struct {
		Rows []struct {
			Name, Ends string
			answer
		}
	}
	shared(t, "wait.json", &file)
	completed := `{"payment_id":"p","status":"completed"}`
	for _, row := range file.Rows {
		nc, err := nats.Connect(answers(t, row.answer, answer{Body: &completed}), nats.ReconnectWait(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		status, err := NewPayment(nc).WaitForStatus(ctx, "p")
		cancel()
		nc.Close()
		ended := ""
		var known *Error
		if errors.As(err, &known) {
			ended = string(known.Kind)
		} else if err != nil || status.Status != "completed" {
			t.Errorf("%s: %v %v", row.Name, status, err)
		}
		if ended != row.Ends {
			t.Errorf("%s: %v", row.Name, err)
		}
		// The doctored row: what is ridden out ends, and the other way round.
		if doctored := map[bool]string{true: "other", false: ""}[row.Ends == ""]; ended == doctored {
			t.Errorf("%s: a doctored row is not told", row.Name)
		}
	}
}
