// Request, publish, submit and subscribe over nats.go, each within its deadline and each truthful.
//
// What nats.go does not do by itself, and this file does: while it reconnects, it buffers what is
// published and sends it later, even after the caller gave up, so here one waits for the connection
// first; a flush that began after a reconnect says nothing about what was published before it, so
// reconnects are counted; a violation of permissions arrives beside the operation: see denials.go.

package client

import (
	"bytes"
	"cmp"
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
	what := "request to " + message.Subject
	if err := ready(ctx, nc, what); err != nil {
		return nil, err
	}
	inbox := nc.NewInbox()
	ctx, done := denialsOf(nc).watch(ctx, operation{subject: message.Subject, inbox: inbox}, what)
	defer done()
	reply, err := asked(ctx, nc, message, inbox)
	if err != nil {
		if denied := refused(ctx); denied != nil {
			return nil, denied
		}
		return nil, translated(err, what)
	}
	if isNoResponders(reply) {
		return nil, &Error{Kind: NoResponders, Definite: true, Message: what + ": nobody listens there"}
	}
	return reply, nil
}

// asked is the first reply, whatever its status, to an inbox of its own: nats.go takes each one with
// status 503 and no body for the server's own.
func asked(ctx context.Context, nc *nats.Conn, message *nats.Msg, replyTo string) (*nats.Msg, error) {
	replies := make(chan *nats.Msg, 2)
	inbox, err := nc.ChanSubscribe(replyTo, replies)
	if err != nil {
		return nil, err
	}
	// The server does not count its own word that nobody listens: nats.go must not take that for the
	// last message, or the server would keep the inbox.
	defer func() { _ = inbox.Unsubscribe() }()
	if err := inbox.AutoUnsubscribe(2); err != nil {
		return nil, err
	}
	closed := nc.StatusChanged(nats.CLOSED)
	defer nc.RemoveStatusListener(closed)
	request := &nats.Msg{
		Subject: message.Subject, Reply: replyTo, Header: message.Header, Data: message.Data,
	}
	if err := nc.PublishMsg(request); err != nil {
		return nil, err
	}
	select {
	case reply := <-replies:
		return reply, nil
	case <-closed:
		return nil, errors.New("the connection was closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Publish publishes all, and returns once the broker has them.
func Publish(ctx context.Context, nc *nats.Conn, messages ...*nats.Msg) error {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	if err := ready(ctx, nc, "publish"); err != nil {
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
		publishing := operation{subject: message.Subject}
		if denied := denials.since(nc, publishing, mark, "publish to "+message.Subject); denied != nil {
			return denied
		}
	}
	return nil
}

// Submit publishes to JetStream, and returns its acknowledgement.
func Submit(ctx context.Context, nc *nats.Conn, message *nats.Msg) (*Ack, error) {
	reply, err := Request(ctx, nc, message)
	if is(err, NoResponders) {
		return nil, &Error{Kind: NoStream, Definite: true, cause: err, Message: fmt.Sprintf(
			"no stream stores %s, or JetStream is not ready", message.Subject)}
	}
	if err == nil {
		err = CheckHeaders(reply)
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Stream    string `json:"stream"`
		Sequence  uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	switch err := decode(reply.Data, &answer); {
	case err != nil:
		return nil, err
	case answer.Error != nil:
		words := cmp.Or(answer.Error.Description, "JetStream gave no reason")
		return nil, &Error{Kind: Other, Definite: true, Message: words}
	case answer.Stream == "" || answer.Sequence == 0:
		return nil, badReply("this is no acknowledgement of a stream: %q", excerpt(string(reply.Data)))
	}
	return &Ack{Stream: answer.Stream, Sequence: answer.Sequence, Duplicate: answer.Duplicate}, nil
}

// Subscribe returns once the broker delivers to handler what anyone publishes. The subject may have
// wildcards; the queue group may be empty.
func Subscribe(
	ctx context.Context, nc *nats.Conn, subject, queueGroup string, handler nats.MsgHandler,
) (*nats.Subscription, error) {
	ctx, cancel := bounded(ctx, DefaultTimeout)
	defer cancel()
	what := "subscribe to " + excerpt(subject)
	if err := checkSubscription(subject, queueGroup); err != nil {
		return nil, err
	}
	if err := ready(ctx, nc, what); err != nil {
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
	for is(err, Connection) && ready(ctx, nc, what) == nil {
		// It comes back with the subscription in it; only the proof is to be had again.
		err = barrier(ctx, nc, what, nc.Stats().Reconnects)
	}
	if err == nil {
		subscribing := operation{subject: subject, subscribes: true}
		if denied := denials.since(nc, subscribing, mark, what); denied != nil {
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
	_, failed := header(reply, "Nats-Service-Error")
	_, coded := header(reply, "Nats-Service-Error-Code")
	if said, _ := header(reply, "Mono-Error"); failed || coded || said == "true" {
		return serviceError(reply)
	}
	return decode(reply.Data, into)
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
	if err := unmarshal(data, into); err != nil {
		return badReply("the reply does not follow the contract (%v): %q", err, excerpt(string(data)))
	}
	return nil
}

// ready waits until there is a connection, and fails where the context has ended: nothing was sent.
func ready(ctx context.Context, nc *nats.Conn, what string) error {
	if nc.IsConnected() {
		if err := ctx.Err(); err != nil {
			return &Error{Kind: Timeout, Definite: true, Message: what + ": there was no time left to send it", cause: err}
		}
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
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, nats.ErrTimeout):
		failed.Kind, failed.Message = Timeout, what+": no reply in time"
	case errors.Is(err, nats.ErrMaxPayload):
		failed.Kind, failed.Definite = MaxPayload, true
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadQueueName):
		failed.Kind, failed.Definite = BadInput, true
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrReconnectBufExceeded):
		failed.Definite = true
	}
	return failed
}

func serviceError(reply *nats.Msg) *Error {
	message, _ := header(reply, "Mono-Error-Message")
	if message == "" {
		message, _ = header(reply, "Nats-Service-Error")
	}
	if message == "" {
		var body struct {
			Error string `json:"error"`
		}
		if decode(reply.Data, &body) != nil || body.Error == "" {
			body.Error = "the service gave no reason"
		}
		message = body.Error
	}
	code := 500
	if text, _ := header(reply, "Nats-Service-Error-Code"); threeDigits.MatchString(text) {
		code, _ = strconv.Atoi(text)
	}
	// A failure inside may have come after the effect; the others come before the work.
	definite := code >= 400 && code < 500 || code == 503
	return &Error{Kind: Service, Definite: definite, Message: message, Code: code}
}
