// What the server has refused on a connection: it says so beside the operation, never in answer to
// it, and a refused request would just time out. nats.go keeps the last such error only and hands all
// of them to the connection's error handler, in another goroutine.

package client

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/nats-io/nats.go"
)

const (
	// How many refusals are kept; whoever waits for one hears of it long before so many more came.
	deniedKept = 256
	// How long the error handler may take to hear of what the connection knows.
	deniedPatience = time.Second
)

var violation = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "(.*?)"(?: using queue|$)`)

// operation is what may be refused.
type operation int

const (
	publishing operation = iota
	asking
	subscribing
)

// denial is one refusal.
type denial struct {
	number uint64
	// In lower case; empty where there is one subscription too many, of which the server does not say
	// which.
	subject string
	err     error
	// What was refused is the inbox that answers come to: the request may have happened.
	inbox bool
}

// failed is the refusal in our terms.
func (d *denial) failed(what string) *Error {
	return &Error{Kind: Permissions, Definite: !d.inbox, Message: what + ": " + d.err.Error(), cause: d.err}
}

// denials are the refusals of one connection.
type denials struct {
	mu      sync.Mutex
	count   uint64
	kept    []*denial
	before  error // what the connection had to say before anybody listened
	changed chan struct{}
	inboxes string
	// Where answers come, if that is refused, and how many reconnects there had been.
	deaf       *denial
	deafSince  uint64
	reconnects func() uint64
}

var (
	listeningMu sync.Mutex
	listening   = make(map[weak.Pointer[nats.Conn]]*denials)
)

// denialsOf listens on the connection, beside its own error handler, from the first call on.
func denialsOf(nc *nats.Conn) *denials {
	listeningMu.Lock()
	defer listeningMu.Unlock()
	key := weak.Make(nc)
	if known := listening[key]; known != nil {
		return known
	}
	prefix := nc.Opts.InboxPrefix
	if prefix == "" {
		prefix = "_INBOX"
	}
	// Nothing that is kept for the connection may keep the connection.
	reconnects := func() uint64 {
		if nc := key.Value(); nc != nil {
			return nc.Stats().Reconnects
		}
		return 0
	}
	d := &denials{
		before: nc.LastError(), changed: make(chan struct{}), reconnects: reconnects,
		inboxes: strings.ToLower(strings.TrimSuffix(prefix, ".") + "."),
	}
	listening[key] = d
	runtime.AddCleanup(nc, func(key weak.Pointer[nats.Conn]) {
		listeningMu.Lock()
		defer listeningMu.Unlock()
		delete(listening, key)
	}, key)
	theirs := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, subscription *nats.Subscription, err error) {
		d.note(err)
		if theirs != nil {
			theirs(nc, subscription, err)
		}
	})
	return d
}

func (d *denials) note(err error) {
	found := violation.FindStringSubmatch(err.Error())
	if found == nil && !errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	denied := &denial{number: d.count, err: err}
	if found != nil {
		denied.subject = strings.ToLower(found[2])
		denied.inbox = strings.EqualFold(found[1], "subscription") && strings.HasPrefix(denied.subject, d.inboxes)
	}
	if denied.inbox {
		d.deaf, d.deafSince = denied, d.reconnects()
	}
	d.count++
	d.kept = append(d.kept, denied)
	if len(d.kept) > deniedKept {
		d.kept = d.kept[1:]
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// mark is how many there have been.
func (d *denials) mark() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// find is the refusal of the subject since the mark, or of the inbox where that matters; and what
// to wait on for another.
func (d *denials) find(subject string, mark uint64, of operation) (*denial, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	subject = strings.ToLower(subject)
	asks, subscribes := of == asking, of == subscribing
	for _, denied := range d.kept {
		about := denied.subject == subject || asks && denied.inbox || subscribes && denied.subject == ""
		if denied.number >= mark && about {
			return denied, d.changed
		}
	}
	if asks && d.deaf != nil && d.deafSince == d.reconnects() {
		return d.deaf, d.changed
	}
	return nil, d.changed
}

// since is the refusal of the subject since the mark, once the error handler has heard all that the
// connection knows by now.
func (d *denials) since(nc *nats.Conn, subject string, mark uint64, of operation, what string) *Error {
	last := nc.LastError()
	late := time.NewTimer(deniedPatience)
	defer late.Stop()
	for {
		denied, changed := d.find(subject, mark, of)
		if denied != nil {
			return denied.failed(what)
		}
		// One too many is the same error each time: it may be an old one, of which nothing more comes.
		again := of == subscribing && errors.Is(last, nats.ErrMaxSubscriptionsExceeded)
		if !again && d.knows(last) {
			return nil
		}
		select {
		case <-changed:
		case <-late.C:
			return nil
		}
	}
}

// knows says whether the error handler has heard of this very error, or never will.
func (d *denials) knows(err error) bool {
	if !errors.Is(err, nats.ErrPermissionViolation) || err == d.before {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := len(d.kept) - 1; n >= 0; n-- {
		if d.kept[n].err == err {
			return true
		}
	}
	return false
}

// watch is a context that ends, with an *Error as its cause, as soon as the server refuses the
// subject or the inbox of its answer.
func (d *denials) watch(ctx context.Context, subject, what string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	mark := d.mark()
	go func() {
		for {
			denied, changed := d.find(subject, mark, asking)
			if denied != nil {
				cancel(denied.failed(what))
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// refused is why the context of a watch ended, if it was a refusal.
func refused(ctx context.Context) *Error {
	var denied *Error
	if errors.As(context.Cause(ctx), &denied) {
		return denied
	}
	return nil
}
