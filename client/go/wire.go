// Request, publish, submit and subscribe over nats.go, each within its deadline and each truthful.
//
// What nats.go does not do by itself, and this file does: while it reconnects, it buffers what is
// published and sends it later, even after the caller gave up, so here one waits for the connection
// first; a flush that began after a reconnect says nothing about what was published before it, so
// reconnects are counted; a violation of permissions arrives beside the operation: see denials.go.

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Ack is JetStream's word that a message is stored.
type Ack struct {
	// Stream is the one that stored it.
	Stream string `json:"stream"`
	// Sequence is its place there; that of the first one where it is a duplicate.
	Sequence uint64 `json:"sequence"`
	// Duplicate is true where a message with the same Nats-Msg-Id was stored shortly before: this
	// one was not.
	Duplicate bool `json:"duplicate"`
}

var headerName = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$")

// NewMsg is a message to publish, with its subject and headers checked.
func NewMsg(subject string, payload []byte, headers map[string][]string) (*nats.Msg, error) {
	if err := checkPublishSubject(subject); err != nil {
		return nil, err
	}
	message := &nats.Msg{Subject: subject, Data: payload}
	for name, values := range headers {
		if !headerName.MatchString(name) {
			return nil, badInput("header name %q has a character it cannot have", excerpt(name))
		}
		for _, value := range values {
			if !utf8.ValidString(value) {
				return nil, badInput("the value of header %s is not valid Unicode", name)
			}
			if strings.ContainsFunc(value, unicode.IsControl) {
				return nil, badInput("the value of header %s is not one line without control characters", name)
			}
			if message.Header == nil {
				message.Header = nats.Header{}
			}
			message.Header[name] = append(message.Header[name], value)
		}
	}
	return message, nil
}

// Request asks, and returns the reply as it came, also one that carries an error.
func Request(ctx context.Context, nc *nats.Conn, message *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	if err := ready(ctx, nc); err != nil {
		return nil, err
	}
	what := "request to " + message.Subject
	ctx, done := denialsOf(nc).watch(ctx, message.Subject, what)
	defer done()
	reply, err := nc.RequestMsgWithContext(ctx, message)
	if err != nil {
		if denied := refused(ctx); denied != nil {
			return nil, denied
		}
		return nil, translated(err, what)
	}
	return reply, nil
}

// Publish publishes all, and returns once the broker has them.
func Publish(ctx context.Context, nc *nats.Conn, messages ...*nats.Msg) error {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	if err := ready(ctx, nc); err != nil {
		return err
	}
	for _, message := range messages {
		if size := int64(message.Size() - len(message.Subject)); size > nc.MaxPayload() {
			return &Error{Kind: MaxPayload, Definite: true, Message: fmt.Sprintf(
				"%d bytes for %s, and the server accepts %d", size, message.Subject, nc.MaxPayload())}
		}
	}
	denials := denialsOf(nc)
	mark, reconnects := denials.mark(), nc.Stats().Reconnects
	for n, message := range messages {
		if err := nc.PublishMsg(message); err != nil {
			failed := translated(err, "publish to "+message.Subject)
			failed.Definite = failed.Definite && n == 0
			return failed
		}
	}
	if err := barrier(ctx, nc, "publish", reconnects); err != nil {
		return err
	}
	for _, message := range messages {
		if denied := denials.since(nc, message.Subject, mark, "publish to "+message.Subject); denied != nil {
			return denied
		}
	}
	return nil
}

// Submit publishes to JetStream, and returns its acknowledgement.
func Submit(ctx context.Context, nc *nats.Conn, message *nats.Msg) (*Ack, error) {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	what := "submit to " + message.Subject
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, translated(err, what)
	}
	if err := ready(ctx, nc); err != nil {
		return nil, err
	}
	ctx, done := denialsOf(nc).watch(ctx, message.Subject, what)
	defer done()
	ack, err := js.PublishMsg(ctx, message, jetstream.WithRetryAttempts(0))
	if err != nil {
		if denied := refused(ctx); denied != nil {
			return nil, denied
		}
		return nil, translated(err, what)
	}
	return &Ack{Stream: ack.Stream, Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// Subscribe returns once the broker delivers to handler what anyone publishes. The subject may have
// wildcards; the queue group may be empty.
func Subscribe(
	ctx context.Context, nc *nats.Conn, subject, queueGroup string, handler nats.MsgHandler,
) (*nats.Subscription, error) {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	what := "subscribe to " + excerpt(subject)
	if err := checkSubscribeSubject(subject); err != nil {
		return nil, err
	}
	if err := ready(ctx, nc); err != nil {
		return nil, err
	}
	denials := denialsOf(nc)
	mark := denials.mark()
	subscription, err := nc.QueueSubscribe(subject, queueGroup, handler)
	if err != nil {
		return nil, translated(err, what)
	}
	// Whoever is slow must not lose what came in between.
	_ = subscription.SetPendingLimits(-1, -1)
	err = barrier(ctx, nc, what, nc.Stats().Reconnects)
	for is(err, Connection) && ready(ctx, nc) == nil {
		// It comes back with the subscription in it; only the proof is to be had again.
		err = barrier(ctx, nc, what, nc.Stats().Reconnects)
	}
	if err == nil {
		if denied := denials.since(nc, subject, mark, what); denied != nil {
			err = denied
		}
	}
	if err != nil {
		_ = subscription.Unsubscribe()
		return nil, err
	}
	return subscription, nil
}

// ask asks a service, and reads its reply into `into`.
func ask(ctx context.Context, nc *nats.Conn, subject string, request, into any) error {
	payload, err := encode(request)
	if err != nil {
		return err
	}
	message, err := NewMsg(subject, payload, nil)
	if err != nil {
		return err
	}
	reply, err := Request(ctx, nc, message)
	if err != nil {
		return err
	}
	if err := CheckHeaders(reply); err != nil {
		return err
	}
	_, failed := reply.Header["Nats-Service-Error"]
	_, coded := reply.Header["Nats-Service-Error-Code"]
	if failed || coded || reply.Header.Get("Mono-Error") == "true" {
		return serviceError(reply)
	}
	return decode(reply.Data, into)
}

// CheckHeaders fails where a message came with headers that nats.go cannot decode. It hands such a
// message on without any, and a reply's error would be taken for a result; its size on the wire tells.
func CheckHeaders(received *nats.Msg) error {
	bare := len(received.Subject) + len(received.Reply) + len(received.Data)
	if received.Header != nil || received.Size() <= bare {
		return nil
	}
	what := fmt.Sprintf("a message came on %q, and its headers cannot be read", received.Subject)
	return &Error{Kind: Other, Message: what}
}

// encode is strict JSON on one line.
func encode(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, badInput("cannot be sent as JSON: %v", err)
	}
	return bytes.TrimRight(body.Bytes(), "\n"), nil
}

// decode reads one JSON object; numbers into json.Number keep their digits.
func decode(data []byte, into any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return badReply("the reply is not a JSON object: %q", excerpt(string(data)))
	}
	if fault := unreadable(data); fault != "" {
		return badReply("the reply %s: %q", fault, excerpt(string(data)))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return badReply("the reply does not follow the contract (%v): %q", err, excerpt(string(data)))
	}
	return nil
}

// ready waits until there is a connection.
func ready(ctx context.Context, nc *nats.Conn) error {
	if nc.IsConnected() {
		return nil
	}
	changes := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(changes)
	for {
		state := ""
		switch {
		case nc.IsConnected():
			return nil
		case nc.IsClosed():
			state = "closed"
		case nc.IsDraining():
			state = "draining"
		case ctx.Err() != nil:
			state = "down"
		}
		if state != "" {
			message := "nothing sent: the connection is " + state
			if cause := nc.LastError(); cause != nil {
				message += fmt.Sprintf(" (%v)", cause)
			}
			return &Error{Kind: Connection, Definite: true, Message: message, cause: nc.LastError()}
		}
		select {
		case <-changes:
		case <-ctx.Done():
		}
	}
}

// barrier returns once the broker has handled all that was written since it had counted reconnects.
func barrier(ctx context.Context, nc *nats.Conn, what string, reconnects uint64) error {
	err := nc.FlushWithContext(ctx)
	switch {
	case err == nil && nc.Stats().Reconnects == reconnects:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Kind: Timeout, Message: what + ": the broker did not confirm it in time", cause: err}
	default:
		return &Error{Kind: Connection, Message: what + ": the connection broke on the way", cause: err}
	}
}

// translated is the error of nats.go in our terms.
func translated(err error, what string) *Error {
	failed := &Error{Kind: Connection, Message: fmt.Sprintf("%s: %v", what, err), cause: err}
	var refused *jetstream.APIError
	switch {
	case errors.As(err, &refused):
		failed.Kind, failed.Definite, failed.Message = Other, true, refused.Description
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		failed.Kind, failed.Definite = NoStream, true
		failed.Message = what + ": no stream stores it, or JetStream is not ready"
	case errors.Is(err, nats.ErrNoResponders):
		failed.Kind, failed.Definite = NoResponders, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, nats.ErrTimeout):
		failed.Kind, failed.Message = Timeout, what+": no reply in time"
	case errors.Is(err, nats.ErrMaxPayload):
		failed.Kind, failed.Definite = MaxPayload, true
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadQueueName):
		failed.Kind, failed.Definite = BadInput, true
	case errors.Is(err, jetstream.ErrInvalidJSAck):
		failed.Kind = Other
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrReconnectBufExceeded):
		failed.Definite = true
	}
	return failed
}

func serviceError(reply *nats.Msg) *Error {
	message := reply.Header.Get("Mono-Error-Message")
	if message == "" {
		message = reply.Header.Get("Nats-Service-Error")
	}
	if message == "" {
		var body struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(reply.Data, &body) != nil || body.Error == "" {
			body.Error = "the service gave no reason"
		}
		message = body.Error
	}
	code, err := strconv.Atoi(reply.Header.Get("Nats-Service-Error-Code"))
	if err != nil || code < 100 || code > 999 {
		code = 500
	}
	// A failure inside may have come after the effect; the others come before the work.
	definite := code >= 400 && code < 500 || code == 503
	return &Error{Kind: Service, Definite: definite, Message: message, Code: code}
}
