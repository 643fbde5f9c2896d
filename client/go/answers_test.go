// A server that speaks just enough of NATS to answer requests with the bytes of a vector.

package client

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// answer is a header block and a body, where there are any; the subjects are those of a message of a
// subscription.
type answer struct {
	Block          string
	Body           *string
	Fault          string
	Subject, Reply string
}

type answering struct {
	mutex       sync.Mutex
	all, rows   []answer
	connections int
}

// answers one request with each of these, the last again and again; it returns its URL.
func answers(t *testing.T, rows ...answer) string {
	t.Helper()
	url, _ := countedAnswers(t, rows...)
	return url
}

// countedAnswers also tells of its connections. Whoever subscribes to `x.>` gets all rows at once.
func countedAnswers(t *testing.T, rows ...answer) (string, func() int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server := &answering{all: rows, rows: rows}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			server.mutex.Lock()
			server.connections++
			server.mutex.Unlock()
			go server.serve(connection)
		}
	}()
	connections := func() int {
		server.mutex.Lock()
		defer server.mutex.Unlock()
		return server.connections
	}
	return "nats://" + listener.Addr().String(), connections
}

func (a *answering) next() answer {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	row := a.rows[0]
	if len(a.rows) > 1 {
		a.rows = a.rows[1:]
	}
	return row
}

func (a *answering) serve(connection net.Conn) {
	defer connection.Close()
	subscriptions := map[string]string{}
	fmt.Fprint(connection, "INFO {\"version\":\"2.14.0\",\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n")
	reader := bufio.NewReader(connection)
	for {
		line, err := reader.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) == 0 {
			return
		}
		last := words[len(words)-1]
		switch words[0] {
		case "PING":
			fmt.Fprint(connection, "PONG\r\n")
		case "SUB":
			subscriptions[last] = words[1]
			if words[1] == "x.>" {
				for _, row := range a.all {
					fmt.Fprint(connection, row.message(subscriptions, row.Subject))
				}
			}
		case "PUB", "HPUB":
			size, _ := strconv.Atoi(last)
			if _, err := io.CopyN(io.Discard, reader, int64(size)+2); err != nil {
				return
			}
			if len(words) != map[string]int{"PUB": 4, "HPUB": 5}[words[0]] {
				continue // no reply is asked for
			}
			row := a.next()
			if row.Fault == "close" {
				return
			}
			if row.Body != nil {
				fmt.Fprint(connection, row.message(subscriptions, words[2]))
			}
		}
	}
}

func (row answer) message(subscriptions map[string]string, to string) string {
	for sid, subject := range subscriptions {
		if !strings.HasPrefix(to, strings.TrimRight(subject, "*>")) {
			continue
		}
		if row.Reply != "" {
			sid += " " + row.Reply
		}
		if row.Block == "" {
			return fmt.Sprintf("MSG %s %s %d\r\n%s\r\n", to, sid, len(*row.Body), *row.Body)
		}
		total := len(row.Block) + len(*row.Body)
		return fmt.Sprintf("HMSG %s %s %d %d\r\n%s%s\r\n", to, sid, len(row.Block), total, row.Block, *row.Body)
	}
	return ""
}
