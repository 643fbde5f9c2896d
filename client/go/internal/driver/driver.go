// Package driver answers the commands of the driver protocol with the clients of this module.
package driver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

const (
	// How long what is in hand, and then the drain, may take at the end of input.
	endTimeout = 3 * time.Second
	// The exit status where commands cannot be read, or replies cannot be written.
	broken = 3
)

// Driver has one connection, and runs commands over it.
type Driver struct {
	out     *replies
	session session
	inboxes inboxes
}

// New is a driver that writes its replies to out.
func New(out io.Writer) *Driver {
	log.SetFlags(0)
	d := &Driver{out: newReplies(out), inboxes: inboxes{open: make(map[uint64]*inbox)}}
	d.session.renewed = d.inboxes.follow
	return d
}

// Run serves until the input ends, and returns the exit status: at once where a reply cannot be
// written, since nobody would hear an answer any more.
func (d *Driver) Run(input io.Reader) int {
	// A reader that has gone is an error of the write, not the end of this process.
	signal.Ignore(syscall.SIGPIPE)
	ended := make(chan int, 1)
	go func() { ended <- d.serve(input) }()
	var err error
	select {
	case err = <-d.out.unheard:
	case status := <-ended:
		select {
		case err = <-d.out.unheard:
		default:
			return status
		}
	}
	log.Printf("replies cannot be written: %v", err)
	return broken
}

func (d *Driver) serve(input io.Reader) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var underWay sync.WaitGroup
	status := 0
	reader := bufio.NewReaderSize(input, 1<<16)
	for {
		line, err := reader.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			id, fields, bad := parse(line)
			if bad != nil {
				log.Printf("a line that is no command (%v): %.80q", bad, line)
				status = 2
				break
			}
			d.out.begin(id)
			d.session.expect(fields)
			underWay.Go(func() { d.answer(ctx, id, fields) })
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				log.Printf("commands cannot be read: %v", err)
				status = broken
			}
			break
		}
	}
	d.finish(&underWay)
	return status
}

func (d *Driver) finish(underWay *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		underWay.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(endTimeout):
	}
	d.out.cutOff()
	d.session.drain()
}

// answer is one command, from what it says to the one line it is answered with.
func (d *Driver) answer(ctx context.Context, id uint64, fields fields) {
	result, err := d.perform(ctx, fields)
	var skipped skip
	switch {
	case err == nil:
		d.out.answer(id, reply{OK: &result})
	case errors.As(err, &skipped):
		d.out.answer(id, reply{Skip: string(skipped)})
	default:
		d.out.answer(id, reply{Err: described(err)})
	}
}

func (d *Driver) perform(ctx context.Context, fields fields) (any, error) {
	op, err := fields.text("op")
	if err != nil {
		return nil, err
	}
	operation, known := operations[op]
	if !known {
		return nil, skip("this driver does not know the operation " + op)
	}
	if op == "hello" {
		return d.session.hello(fields)
	}
	nc, err := d.session.conn()
	if err != nil {
		return nil, err
	}
	return operation(ctx, d, nc, fields)
}

type operation func(context.Context, *Driver, *nats.Conn, fields) (any, error)

var operations = map[string]operation{
	"hello":       nil, // before there is a connection
	"call":        call,
	"request":     request,
	"publish":     publish,
	"submit":      submit,
	"subscribe":   subscribe,
	"next":        next,
	"unsubscribe": unsubscribe,
}

func request(ctx context.Context, _ *Driver, nc *nats.Conn, fields fields) (any, error) {
	message, err := fields.message()
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := fields.deadline(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	reply, err := client.Request(ctx, nc, message)
	if err != nil {
		return nil, err
	}
	return shown(reply)
}

func publish(ctx context.Context, _ *Driver, nc *nats.Conn, fields fields) (any, error) {
	message, err := fields.message()
	if err != nil {
		return nil, err
	}
	return struct{}{}, client.Publish(ctx, nc, message)
}

func submit(ctx context.Context, _ *Driver, nc *nats.Conn, fields fields) (any, error) {
	message, err := fields.message()
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := fields.deadline(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return client.Submit(ctx, nc, message)
}
