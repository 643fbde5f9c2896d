// Bytes of strangers that cannot be read: an error of ours, and the next message comes on the same
// connection. All languages read the same rows.

package client

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

type unreadableRow struct {
	Name, Kind string
	// What a reply without a body is; other where it is not said.
	Empty   string
	Lenient map[string]string
	answer
}

// unreadableRows have one byte for each character of the file.
func unreadableRows(t *testing.T) []unreadableRow {
	t.Helper()
	var file struct{ Rows []unreadableRow }
	shared(t, "unreadable.json", &file)
	if len(file.Rows) < 60 {
		t.Fatalf("only %d rows", len(file.Rows))
	}
	for n := range file.Rows {
		file.Rows[n].Empty = cmp.Or(file.Rows[n].Empty, "other")
		for _, text := range []*string{&file.Rows[n].Block, &file.Rows[n].Subject, &file.Rows[n].Reply} {
			bytes := make([]byte, 0, len(*text))
			for _, letter := range *text {
				bytes = append(bytes, byte(letter))
			}
			*text = string(bytes)
		}
	}
	return file.Rows
}

func (row unreadableRow) allows(kind string) bool {
	_, lenient := row.Lenient["go"]
	return kind == row.Kind || lenient && (kind == "ok" || kind == "other")
}

func kindOf(err error) string {
	var known *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &known):
		return string(known.Kind)
	default:
		return err.Error()
	}
}

func good() answer {
	body := `{"result":4}`
	return answer{Block: "NATS/1.0\r\nX: a\r\n\r\n", Body: &body, Subject: "x.y"}
}

func quiet(*nats.Conn, *nats.Subscription, error) {}

// asked is what came of a request; the next one is answered on the same connection.
func (row unreadableRow) asked(t *testing.T, body string) string {
	t.Helper()
	bad := row.answer
	bad.Body = &body
	url, connections := countedAnswers(t, bad, good())
	nc, err := nats.Connect(url, nats.ErrorHandler(quiet))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = NewMath(nc).Add(ctx, 1, 2)
	if sum, err := NewMath(nc).Add(ctx, 1, 2); err != nil || sum != 4 {
		t.Errorf("%s: the next one: %v, %v", row.Name, sum, err)
	}
	if connections() != 1 {
		t.Errorf("%s: the connection was made anew", row.Name)
	}
	var known *Error
	if errors.As(err, &known) && known.Definite != (known.Kind != Other) {
		t.Errorf("%s: definite is %t: %v", row.Name, known.Definite, err)
	}
	return kindOf(err)
}

func TestAReplyThatCannotBeReadIsWhatItsRowSaysAndTheNextOneComes(t *testing.T) {
	for _, row := range unreadableRows(t) {
		if row.Subject != "" || row.Reply != "" {
			continue
		}
		if kind := row.asked(t, `{"result":3}`); !row.allows(kind) {
			t.Errorf("%s: %s", row.Name, kind)
		}
		if kind := row.asked(t, ""); kind != row.Empty {
			t.Errorf("%s, with an empty body: %s", row.Name, kind)
		}
	}
}

func TestNoMessageOfASubscriptionCostsTheNextOne(t *testing.T) {
	for _, row := range unreadableRows(t) {
		bad, body := row.answer, "{}"
		bad.Body = &body
		if bad.Subject == "" {
			bad.Subject = "x.y"
		}
		url, connections := countedAnswers(t, bad, good())
		nc, err := nats.Connect(url, nats.ErrorHandler(quiet))
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan *nats.Msg, 2)
		_, err = Subscribe(context.Background(), nc, "x.>", "", func(message *nats.Msg) { received <- message })
		if err != nil {
			t.Fatalf("%s: %v", row.Name, err)
		}
		first, second := <-received, <-received
		kind := kindOf(CheckHeaders(first))
		if !row.allows(kind) {
			t.Errorf("%s: %s", row.Name, kind)
		}
		doctored := row
		doctored.Kind = map[string]string{"ok": "other", "other": "ok"}[row.Kind]
		if row.Lenient == nil && doctored.allows(kind) {
			t.Errorf("%s: a doctored row is not told", row.Name)
		}
		if CheckHeaders(second) != nil || second.Header.Get("X") != "a" || connections() != 1 {
			t.Errorf("%s: the next one: %v, %d connections", row.Name, second.Header, connections())
		}
		nc.Close()
	}
}
