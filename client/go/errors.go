// What can go wrong, as one type: each error says whether the operation certainly did not happen.

package client

import (
	"errors"
	"fmt"
)

// Kind is what sort of failure it was, in the words that clients of all languages share.
type Kind string

// The kinds of failure.
const (
	// BadInput: refused here, before anything was sent.
	BadInput Kind = "bad_input"
	// MaxPayload: larger than the server's max_payload; nothing was sent.
	MaxPayload Kind = "max_payload"
	// NoResponders: nobody listens on the subject.
	NoResponders Kind = "no_responders"
	// NoStream: no stream stores the subject.
	NoStream Kind = "no_stream"
	// Timeout: no answer in time; it may have happened.
	Timeout Kind = "timeout"
	// Connection: no connection, or it broke.
	Connection Kind = "connection"
	// Permissions: the server does not let this user do it.
	Permissions Kind = "permissions"
	// Service: the service answered with an error; see Error.Code.
	Service Kind = "service_error"
	// Domain: the service answered that the question has no answer, as `invalid operation`.
	Domain Kind = "domain"
	// Other: JetStream refused it, or an answer came that does not follow the contract.
	Other Kind = "other"
)

// Error is every error that this package returns.
type Error struct {
	Kind Kind
	// Definite is true if it certainly did not happen, so that doing it again cannot do it twice.
	// Where it is false, look first, or repeat only what is idempotent.
	Definite bool
	// Message is the service's own words where Kind is Service or Domain.
	Message string
	// Code is the service's, as HTTP's: 400 for a request it cannot handle, 500 for a failure
	// inside, 503 while it is overloaded or draining. 0 where there is none.
	Code  int
	cause error
}

func (e *Error) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("%s %d: %s", e.Kind, e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap is the error of nats.go, where there was one.
func (e *Error) Unwrap() error { return e.cause }

// IsDefinite says whether what failed with err certainly did not happen.
func IsDefinite(err error) bool {
	var known *Error
	return errors.As(err, &known) && known.Definite
}

func is(err error, kind Kind) bool {
	var known *Error
	return errors.As(err, &known) && known.Kind == kind
}

func badInput(format string, args ...any) *Error {
	return &Error{Kind: BadInput, Definite: true, Message: fmt.Sprintf(format, args...)}
}

func badReply(format string, args ...any) *Error {
	return &Error{Kind: Other, Message: fmt.Sprintf(format, args...)}
}
