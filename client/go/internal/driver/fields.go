// The fields of one command, checked as they are read.

package driver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

type fields map[string]json.RawMessage

// parse reads a command's id and fields; an error means that there is no id to answer to.
func parse(line []byte) (uint64, fields, error) {
	var fields fields
	if err := json.Unmarshal(line, &fields); err != nil {
		return 0, nil, err
	}
	id, err := strconv.ParseUint(string(fields["id"]), 10, 64)
	if err != nil {
		return 0, nil, errors.New("no id")
	}
	return id, fields, nil
}

// read reads a field into `into`; false where it is not there.
func (f fields) read(name, kind string, into any) (bool, error) {
	raw := f[name]
	if len(raw) == 0 || string(raw) == "null" {
		return false, nil
	}
	if client.HasLoneSurrogate(raw) {
		return false, badInput("%s is not valid Unicode: %.80s", name, raw)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // an amount keeps its digits
	if err := decoder.Decode(into); err != nil {
		return false, badInput("%s is not %s: %.80s", name, kind, raw)
	}
	return true, nil
}

func (f fields) text(name string) (string, error) {
	var text string
	there, err := f.read(name, "a string", &text)
	if err == nil && !there {
		err = badInput("the command has no %s", name)
	}
	return text, err
}

func (f fields) optionalText(name string) (string, error) {
	var text string
	_, err := f.read(name, "a string", &text)
	return text, err
}

func (f fields) integer(name string) (uint64, error) {
	var number uint64
	there, err := f.read(name, "an integer", &number)
	if err == nil && !there {
		err = badInput("the command has no %s", name)
	}
	return number, err
}

// timeout is the field `timeout_ms`, above 0.
func (f fields) timeout() (time.Duration, error) {
	ms, err := f.integer("timeout_ms")
	if err == nil && ms == 0 {
		err = badInput("timeout_ms is not above 0")
	}
	return time.Duration(min(ms, uint64(longest/time.Millisecond))) * time.Millisecond, err
}

func (f fields) deadline(ctx context.Context) (context.Context, context.CancelFunc, error) {
	timeout, err := f.timeout()
	if err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	return bounded, cancel, nil
}

// message is the one to publish.
func (f fields) message() (*nats.Msg, error) {
	subject, err := f.text("subject")
	if err != nil {
		return nil, err
	}
	encoded, err := f.text("payload_base64")
	if err != nil {
		return nil, err
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, badInput("payload_base64: %v", err)
	}
	headers := map[string][]string{}
	if _, err := f.read("headers", "lists of strings by name", &headers); err != nil {
		return nil, err
	}
	return client.NewMsg(subject, payload, headers)
}

func badInput(format string, args ...any) *client.Error {
	return &client.Error{Kind: client.BadInput, Definite: true, Message: fmt.Sprintf(format, args...)}
}
