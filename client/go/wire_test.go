// What nats.go hands on of headers that it cannot decode, against a server that sends them.

package client

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// sends greets a client, and sends it these messages once it has subscribed.
func sends(t *testing.T, messages string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(connection, "INFO {\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n")
		lines := bufio.NewScanner(connection)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "PING") {
				fmt.Fprint(connection, "PONG\r\n")
			}
			if strings.HasPrefix(lines.Text(), "SUB") {
				fmt.Fprint(connection, messages)
			}
		}
	}()
	return "nats://" + listener.Addr().String()
}

func TestHeadersThatCannotBeReadAreNoPlainReply(t *testing.T) {
	block := "NATS/1.0\r\nno colon\r\n\r\n"
	bad := fmt.Sprintf("HMSG x 1 %d %d\r\n%s{}\r\n", len(block), len(block)+2, block)
	good := "HMSG x 1 18 20\r\nNATS/1.0\r\nX: a\r\n\r\n{}\r\n"
	nc, err := nats.Connect(sends(t, bad+"MSG x 1 2\r\n{}\r\n"+good))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	messages, err := nc.SubscribeSync("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, readable := range []bool{false, true, true} {
		message, err := messages.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckHeaders(message)
		var known *Error
		if !readable && (!errors.As(err, &known) || known.Kind != Other) {
			t.Fatalf("%q: %v", message.Data, err)
		}
		if readable && err != nil {
			t.Fatal(err)
		}
	}
}
