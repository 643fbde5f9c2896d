// What goes out: one line a command, exactly once.

package driver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

// reply has exactly one of its last three.
type reply struct {
	ID   uint64  `json:"id"`
	OK   *any    `json:"ok,omitempty"`
	Err  *failed `json:"err,omitempty"`
	Skip string  `json:"skip,omitempty"`
}

// failed is a command's failure, in terms that all languages share.
type failed struct {
	Kind     client.Kind `json:"kind"`
	Definite bool        `json:"definite"`
	Message  string      `json:"message"`
	Code     int         `json:"code,omitempty"`
}

// skip is what this driver cannot do, and why.
type skip string

func (s skip) Error() string { return string(s) }

type replies struct {
	mu       sync.Mutex
	out      io.Writer
	underWay map[uint64]bool
	// Why nobody hears an answer any more; it has room for the first error.
	unheard chan error
}

func newReplies(out io.Writer) *replies {
	return &replies{out: out, underWay: make(map[uint64]bool), unheard: make(chan error, 1)}
}

func (r *replies) begin(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay[id] = true
}

// answer writes nothing where the command was cut off before.
func (r *replies) answer(id uint64, reply reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.underWay[id] {
		return
	}
	delete(r.underWay, id)
	reply.ID = id
	encoder := json.NewEncoder(r.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(reply); err != nil {
		select {
		case r.unheard <- err:
		default:
		}
	}
}

// cutOff answers what had no outcome when the input had ended.
func (r *replies) cutOff() {
	r.mu.Lock()
	ids := make([]uint64, 0, len(r.underWay))
	for id := range r.underWay {
		ids = append(ids, id)
	}
	r.mu.Unlock()
	for _, id := range ids {
		message := "the input ended before there was an outcome"
		r.answer(id, reply{Err: &failed{Kind: client.Connection, Message: message}})
	}
}

func described(err error) *failed {
	var known *client.Error
	if errors.As(err, &known) {
		return &failed{known.Kind, known.Definite, known.Message, known.Code}
	}
	// A fault of ours: told to both sides, and the driver goes on.
	log.Printf("%T: %v", err, err)
	return &failed{Kind: client.Other, Message: err.Error()}
}

// message is one as it came.
type message struct {
	Subject       string              `json:"subject"`
	PayloadBase64 string              `json:"payload_base64"`
	Headers       map[string][]string `json:"headers"`
}

func shown(received *nats.Msg) (any, error) {
	if err := client.CheckHeaders(received); err != nil {
		return nil, err
	}
	headers := map[string][]string{}
	for name, values := range received.Header {
		for _, value := range values {
			headers[name] = append(headers[name], strings.TrimSpace(value))
		}
	}
	return message{received.Subject, base64.StdEncoding.EncodeToString(received.Data), headers}, nil
}
