// What the server has refused on a connection: it says so beside the operation, never in answer to
// it, and a refused request would just time out. nats.go keeps the last such error only and hands all
// of them to the connection's error handler, in another goroutine.
//
// Nothing is remembered for a later operation: what is refused now may be allowed then.

package client

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strconv"
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

// The subject is quoted by %q; what may follow it says more of the subscription.
var violation = regexp.MustCompile(
	`(?i)permissions violation for (publish|subscription) (?:to|with reply of) ("(?:[^"\\]|\\.)*")`)

// operation is what may be refused: a publish or, where it subscribes, a subscription; a request
// subscribes to the inbox of its answer too.
type operation struct {
	subject    string
	subscribes bool
	inbox      string
}

// denial is one refusal.
type denial struct {
	number uint64
	// Of a subscription; else of a publish.
	subscription bool
	// Empty where the server does not say which: there is one subscription too many.
	subject string
	err     error
}

// stops says whether it is this operation that was refused.
func (d *denial) stops(o operation) bool {
	switch {
	case d.subject == "":
		return d.subscription && o.subscribes
	case d.subject == o.inbox:
		return true
	default:
		return d.subscription == o.subscribes && d.subject == o.subject
	}
}

// failed is the refusal in our terms. Without its inbox only the answer of a request is lost: it may
// have happened.
func (d *denial) failed(o operation, what string) *Error {
	definite := o.subscribes || !d.subscription
	return &Error{Kind: Permissions, Definite: definite, Message: what + ": " + d.err.Error(), cause: d.err}
}

// violated is what the server's words refuse: whether a subscription, and its subject; false where
// they name none.
func violated(words string) (subscription bool, subject string, named bool) {
	found := violation.FindStringSubmatch(words)
	if found == nil {
		return false, "", false
	}
	subject, err := strconv.Unquote(found[2])
	if err != nil {
		return false, "", false
	}
	return strings.EqualFold(found[1], "subscription"), subject, true
}

// denials are the refusals of one connection.
type denials struct {
	mu      sync.Mutex
	count   uint64
	kept    []*denial
	before  error // what the connection had to say before anybody listened
	changed chan struct{}
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
	// Nothing that is kept for the connection may keep the connection.
	d := &denials{before: nc.LastError(), changed: make(chan struct{})}
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
	tooMany := errors.Is(err, nats.ErrMaxSubscriptionsExceeded)
	if !tooMany && !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	// One that names no subject is kept as well: whoever looks for the last error finds it.
	subscription, subject, _ := violated(err.Error())
	d.mu.Lock()
	defer d.mu.Unlock()
	denied := &denial{number: d.count, subscription: subscription || tooMany, subject: subject, err: err}
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

// find is the refusal of the operation since the mark, and what to wait on for another.
func (d *denials) find(o operation, mark uint64) (*denial, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, denied := range d.kept {
		if denied.number >= mark && denied.stops(o) {
			return denied, d.changed
		}
	}
	return nil, d.changed
}

// since is the refusal of the operation since the mark, once the error handler has heard all that the
// connection knows by now.
func (d *denials) since(nc *nats.Conn, o operation, mark uint64, what string) *Error {
	last := nc.LastError()
	late := time.NewTimer(deniedPatience)
	defer late.Stop()
	for {
		denied, changed := d.find(o, mark)
		if denied != nil {
			return denied.failed(o, what)
		}
		// One too many is the same error each time: it may be an old one, of which nothing more comes.
		again := o.subscribes && errors.Is(last, nats.ErrMaxSubscriptionsExceeded)
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
// operation.
func (d *denials) watch(ctx context.Context, o operation, what string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	mark := d.mark()
	go func() {
		for {
			denied, changed := d.find(o, mark)
			if denied != nil {
				cancel(denied.failed(o, what))
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
