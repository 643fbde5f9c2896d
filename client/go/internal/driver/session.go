// The connection: hello makes it, every other command waits for it, the end of input drains it.

package driver

import (
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mono-demo.example/client"
)

const (
	protocolVersion = 1
	// How long a hello tries to connect.
	connectTimeout = 2 * time.Second
	// Between two attempts to reconnect: a broker that is killed is back in no time.
	reconnectWait = 20 * time.Millisecond
	// Between two pings; a connection on which nothing arrives any more is noticed after three.
	pingInterval = 5 * time.Second
)

type session struct {
	mu sync.Mutex
	// Closed when the hello that is under way has ended; nil where none is.
	hellos chan struct{}
	nc     *nats.Conn
	err    error
	// How to connect again, and who is told of the new connection.
	options []nats.Option
	renewed func(*nats.Conn)
	// No more commands come, and no more connections are made.
	ended bool
}

// expect notes, in the order of the commands, that a hello is under way: commands that follow it
// without waiting for its answer wait for it here.
func (s *session) expect(fields fields) {
	if op, err := fields.text("op"); err != nil || op != "hello" {
		return
	}
	if version, err := fields.integer("protocol"); err != nil || version != protocolVersion {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nc == nil && s.hellos == nil {
		s.hellos = make(chan struct{})
	}
}

func (s *session) hello(fields fields) (any, error) {
	version, err := fields.integer("protocol")
	if err != nil {
		return nil, err
	}
	if version != protocolVersion {
		return nil, badInput("protocol version %d: this driver speaks %d", version, protocolVersion)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nc != nil {
		return nil, badInput("a second hello on one connection")
	}
	nc, err := s.connect(fields)
	if s.hellos != nil {
		close(s.hellos)
		s.hellos = nil
	}
	s.nc, s.err = nc, err
	if err != nil {
		return nil, err
	}
	capabilities := []string{"call", "request", "publish", "submit", "subscribe", "next", "unsubscribe"}
	return map[string]any{
		"name": "go", "library": "nats.go " + nats.Version, "capabilities": capabilities,
	}, nil
}

// conn waits for the hello that is under way, if one is.
func (s *session) conn() (*nats.Conn, error) {
	s.mu.Lock()
	wait := s.hellos
	s.mu.Unlock()
	if wait != nil {
		<-wait
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew() // whoever is told of the end may be here before the handler
	switch {
	case s.nc != nil:
		return s.nc, nil
	case s.err != nil:
		return nil, s.err
	default:
		return nil, badInput("the first command is hello")
	}
}

// renew makes the connection anew where nats.go has closed it for good, as it does when the server
// sends an error that it does not know. The lock is held.
func (s *session) renew() {
	if s.ended || s.nc == nil || !s.nc.IsClosed() {
		return
	}
	log.Printf("nats: given up, and made anew: %v", s.nc.LastError())
	nc, err := nats.Connect("", append(s.options, nats.RetryOnFailedConnect(true))...)
	if err != nil {
		log.Printf("nats: not made anew: %v", err)
		return
	}
	s.nc = nc
	s.renewed(nc)
}

// drain sends what is under way and closes; bounded, for the broker may be gone.
func (s *session) drain() {
	s.mu.Lock()
	nc := s.nc
	s.ended = true
	s.mu.Unlock()
	if nc == nil {
		return
	}
	closed := nc.StatusChanged(nats.CLOSED)
	if nc.IsClosed() {
		return
	}
	if !nc.IsConnected() || nc.Drain() != nil {
		nc.Close()
	}
	select {
	case <-closed:
	case <-time.After(endTimeout):
		log.Print("the connection did not drain in time")
	}
}

func (s *session) connect(fields fields) (*nats.Conn, error) {
	urls, err := fields.text("url")
	if err != nil {
		return nil, err
	}
	failed := func(err error) error {
		message := fmt.Sprintf("no connection to %s: %v", withoutLogin(urls), err)
		return &client.Error{Kind: client.Connection, Definite: true, Message: message}
	}
	all, err := servers(urls)
	if err != nil {
		return nil, failed(err)
	}
	options := []nats.Option{
		pool(all...),
		nats.Name("mono-demo go driver"),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(0, 0),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(),
		nats.DrainTimeout(endTimeout),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Printf("nats: disconnected: %v", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { log.Print("nats: connected again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Printf("nats: %v", err) }),
		nats.ClosedHandler(func(*nats.Conn) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.renew()
		}),
	}
	user, err := fields.optionalText("user")
	if err != nil {
		return nil, err
	}
	password, err := fields.optionalText("password")
	if err != nil {
		return nil, err
	}
	if user != "" {
		options = append(options, nats.UserInfo(user, password))
	}
	s.options = options
	// No URL is given here: nats.go would split a list of them by a rule of its own.
	nc, err := nats.Connect("", options...)
	if err == nil {
		return nc, nil
	}
	switch err := refusal(err, all, options); {
	case errors.Is(err, nats.ErrAuthorization):
		message := fmt.Sprintf("%s refused the connection: %v", withoutLogin(urls), err)
		return nil, &client.Error{Kind: client.Permissions, Definite: true, Message: message}
	default:
		return nil, failed(err)
	}
}

// pool is the servers to connect to, in any order.
func pool(all ...server) nats.Option {
	return func(options *nats.Options) error {
		options.Servers = nil
		for _, one := range all {
			options.Servers = append(options.Servers, one.url.String())
		}
		return nil
	}
}

// refusal is the error of a server that refuses the login, or else this one: nats.go tells what the
// last of several came to, and one that answered says more than one that is away.
func refusal(err error, all []server, options []nats.Option) error {
	if len(all) == 1 || errors.Is(err, nats.ErrAuthorization) {
		return err
	}
	for _, one := range all {
		nc, alone := nats.Connect("", append(options, pool(one))...)
		if alone == nil {
			nc.Close()
		} else if errors.Is(alone, nats.ErrAuthorization) {
			return alone
		}
	}
	return err
}
