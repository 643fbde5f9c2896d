// Subscriptions and what they received, in order of arrival.

package driver

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

// inboxes are the subscriptions of one connection, by number.
type inboxes struct {
	mu   sync.Mutex
	open map[uint64]*inbox
	last uint64
}

// inbox keeps messages until somebody asks for them.
type inbox struct {
	mu           sync.Mutex
	messages     []*nats.Msg
	arrived      chan struct{} // has one token where messages may have come
	on           *nats.Conn
	subscription *nats.Subscription
}

func (i *inbox) receive(message *nats.Msg) {
	i.mu.Lock()
	i.messages = append(i.messages, message)
	i.mu.Unlock()
	i.signal()
}

func (i *inbox) signal() {
	select {
	case i.arrived <- struct{}{}:
	default:
	}
}

func (i *inbox) take() *nats.Msg {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.messages) == 0 {
		return nil
	}
	message := i.messages[0]
	i.messages = i.messages[1:]
	if len(i.messages) > 0 {
		i.signal() // for whoever else waits
	}
	return message
}

func (i *inboxes) find(fields fields) (uint64, *inbox, error) {
	number, err := fields.integer("subscription")
	if err != nil {
		return 0, nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	found := i.open[number]
	if found == nil {
		return 0, nil, badInput("there is no subscription %d", number)
	}
	return number, found, nil
}

func subscribe(ctx context.Context, d *Driver, nc *nats.Conn, fields fields) (any, error) {
	subject, err := fields.text("subject")
	if err != nil {
		return nil, err
	}
	group, err := fields.optionalText("queue_group")
	if err != nil {
		return nil, err
	}
	inbox := &inbox{arrived: make(chan struct{}, 1), on: nc}
	inbox.subscription, err = client.Subscribe(ctx, nc, subject, group, inbox.receive)
	if err != nil {
		return nil, err
	}
	number := d.inboxes.add(inbox)
	// It may have been made anew before it was known that this one goes with it.
	if nc, err := d.session.conn(); err == nil {
		d.inboxes.follow(nc)
	}
	return map[string]uint64{"subscription": number}, nil
}

func (i *inboxes) add(inbox *inbox) uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last++
	i.open[i.last] = inbox
	return i.last
}

// follow subscribes anew, to the same, over a connection that is not the one it was.
func (i *inboxes) follow(nc *nats.Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, inbox := range i.open {
		if inbox.on == nc {
			continue
		}
		old := inbox.subscription
		subscription, err := nc.QueueSubscribe(old.Subject, old.Queue, inbox.receive)
		if err != nil {
			continue // this one is closed as well, and the next one is followed
		}
		_ = subscription.SetPendingLimits(-1, -1)
		inbox.on, inbox.subscription = nc, subscription
	}
}

func next(ctx context.Context, d *Driver, _ *nats.Conn, fields fields) (any, error) {
	timeout, err := fields.timeout()
	if err != nil {
		return nil, err
	}
	_, inbox, err := d.inboxes.find(fields)
	if err != nil {
		return nil, err
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		if message := inbox.take(); message != nil {
			return shown(message)
		}
		select {
		case <-inbox.arrived:
		case <-late.C:
			// One that comes later is still there to be taken.
			failed := &client.Error{Kind: client.Timeout, Definite: true}
			failed.Message = "no message within " + timeout.String()
			return nil, failed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func unsubscribe(_ context.Context, d *Driver, _ *nats.Conn, fields fields) (any, error) {
	number, inbox, err := d.inboxes.find(fields)
	if err != nil {
		return nil, err
	}
	d.inboxes.mu.Lock()
	defer d.inboxes.mu.Unlock()
	// What is not there any more, or its connection, delivers nothing.
	_ = inbox.subscription.Unsubscribe()
	delete(d.inboxes.open, number)
	return struct{}{}, nil
}
