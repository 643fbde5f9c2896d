// What servers complain of, in the middle of a connection.

package driver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mono-demo.example/client"
)

// More than anything here takes; nothing waits so long unless it fails.
const patience = 60 * time.Second

// complaining is a server that says these words of each line that fits.
func complaining(t *testing.T, lines *regexp.Regexp, says func([]string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go complain(connection, lines, says)
		}
	}()
	return "nats://" + listener.Addr().String()
}

func complain(connection net.Conn, lines *regexp.Regexp, says func([]string) string) {
	defer connection.Close()
	fmt.Fprint(connection, "INFO {\"version\":\"2.14.0\",\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n")
	subscriptions := map[string]string{}
	reader := bufio.NewReader(connection)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if found := lines.FindStringSubmatch(line); found != nil {
			fmt.Fprintf(connection, "-ERR '%s'\r\n", says(found))
		} else if strings.HasPrefix(line, "PING") {
			fmt.Fprint(connection, "PONG\r\n")
		} else if strings.HasPrefix(line, "SUB ") {
			subscriptions[words[1]] = words[len(words)-1]
		} else if strings.HasPrefix(line, "PUB ") && subscriptions[words[1]] != "" {
			fmt.Fprintf(connection, "MSG %s %s 0\r\n\r\n", words[1], subscriptions[words[1]])
		}
	}
}

// conversation is with a driver, one command at a time.
type conversation struct {
	t       *testing.T
	in      *io.PipeWriter
	replies *json.Decoder
	ended   chan int
	last    int
}

func talk(t *testing.T, url string) *conversation {
	t.Helper()
	commands, in := io.Pipe()
	out, replies := io.Pipe()
	c := &conversation{t: t, in: in, replies: json.NewDecoder(out), ended: make(chan int, 1)}
	go func() { c.ended <- New(replies).Run(commands) }()
	c.told(fmt.Sprintf(`"op":"hello","protocol":1,"seed":1,"url":%q`, url), "ok")
	return c
}

// told fails where another outcome than that comes: ok, or the kind of an error and whether it is
// definite.
func (c *conversation) told(command, expected string) {
	c.t.Helper()
	c.last++
	fmt.Fprintf(c.in, "{\"id\":%d,%s}\n", c.last, command)
	var reply struct {
		Err *failed
	}
	if err := c.replies.Decode(&reply); err != nil {
		c.t.Fatal(err)
	}
	outcome := "ok"
	if reply.Err != nil {
		outcome = fmt.Sprint(reply.Err.Kind, " ", reply.Err.Definite)
	}
	if outcome != expected {
		c.t.Errorf("%s: %s, %+v", command, outcome, reply.Err)
	}
}

// end is the exit status, and how long it took.
func (c *conversation) end() (int, time.Duration) {
	c.t.Helper()
	began := time.Now()
	c.in.Close()
	select {
	case status := <-c.ended:
		return status, time.Since(began)
	case <-time.After(patience):
		c.t.Fatal("it does not end")
		return 0, 0
	}
}

func TestAComplaintThatNobodyKnowsCostsNoConnection(t *testing.T) {
	something := func([]string) string { return "Something New" }
	c := talk(t, complaining(t, regexp.MustCompile(`^PUB bad `), something))
	c.told(`"op":"subscribe","subject":"s.x"`, "ok")
	c.told(`"op":"publish","subject":"bad","payload_base64":""`, "connection false")
	c.told(`"op":"publish","subject":"s.x","payload_base64":""`, "ok")
	c.told(`"op":"next","subscription":1,"timeout_ms":60000`, "ok")
	c.told(`"op":"next","subscription":1,"timeout_ms":50`, "timeout true")
	c.told(`"op":"request","subject":"bad","payload_base64":"","timeout_ms":60000`, "connection false")
	c.told(`"op":"unsubscribe","subscription":1`, "ok")
	c.told(`"op":"publish","subject":"s.x","payload_base64":""`, "ok")
	if status, _ := c.end(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestAConnectionThatIsClosedIsNotWaitedFor(t *testing.T) {
	something := func([]string) string { return "Something New" }
	d := New(io.Discard)
	url, _ := json.Marshal(complaining(t, regexp.MustCompile(`^PUB bad `), something))
	if _, err := d.session.hello(fields{"protocol": []byte("1"), "url": url}); err != nil {
		t.Fatal(err)
	}
	d.session.mu.Lock()
	d.session.ended = true // so that it is not made anew before it is looked at
	d.session.mu.Unlock()
	d.session.nc.Close()
	began := time.Now()
	d.session.drain()
	if took := time.Since(began); took >= endTimeout {
		t.Errorf("it took %v", took)
	}
}

func TestARefusalReachesItsOperationHoweverTheSubjectIsQuoted(t *testing.T) {
	for _, subject := range []string{"deny", `de"ny`, `de\ny`, "de\u00adny", "de\u200bny", "de\U000e0001ny"} {
		words := func(found []string) string {
			if found[1] == "SUB" {
				return fmt.Sprintf("Permissions Violation for Subscription to %q using queue %q", subject, "q")
			}
			return fmt.Sprintf("Permissions Violation for Publish to %q", subject)
		}
		c := talk(t, complaining(t, regexp.MustCompile(`^(SUB|PUB) de`), words))
		named, _ := json.Marshal(subject)
		c.told(fmt.Sprintf(`"op":"publish","subject":%s,"payload_base64":""`, named), "permissions true")
		c.told(fmt.Sprintf(`"op":"request","subject":%s,"payload_base64":"","timeout_ms":60000`, named), "permissions true")
		c.told(fmt.Sprintf(`"op":"subscribe","subject":%s,"queue_group":"q"`, named), "permissions true")
		c.end()
	}
}

func TestTooManyTokensAreARefusedSubscription(t *testing.T) {
	words := func(found []string) string {
		return fmt.Sprintf("Permissions Violation for Subscription to %q, too many tokens", found[1])
	}
	c := talk(t, complaining(t, regexp.MustCompile(`^SUB (a\.b\S*) `), words))
	c.told(`"op":"subscribe","subject":"a.b.c.d"`, "permissions true")
	c.told(`"op":"subscribe","subject":"a"`, "ok")
	c.end()
}

func TestAnInboxThatIsAllowedAgainGetsAnswersAgain(t *testing.T) {
	refusals := 0
	words := func(found []string) string {
		if refusals++; refusals > 1 {
			return "Permissions Violation for Publish to \"a\""
		}
		return fmt.Sprintf("Permissions Violation for Subscription to %q", found[1])
	}
	c := talk(t, complaining(t, regexp.MustCompile(`^SUB (_INBOX\S*) `), words))
	c.told(`"op":"request","subject":"a","payload_base64":"","timeout_ms":60000`, "permissions false")
	// The second time the server says something else of it, and it is heard.
	c.told(`"op":"request","subject":"a","payload_base64":"","timeout_ms":60000`, "permissions true")
	c.end()
}

func TestOneThatRefusesSaysMoreThanOneThatIsAway(t *testing.T) {
	violation := func([]string) string { return "Authorization Violation" }
	refuses := strings.TrimPrefix(complaining(t, regexp.MustCompile(`^CONNECT `), violation), "nats://")
	// The order is chance.
	for range 10 {
		list, _ := json.Marshal("nats://127.0.0.1:1,nats://u:bad@" + refuses)
		_, err := new(session).hello(fields{"protocol": []byte("1"), "url": list})
		if kind := described(err).Kind; kind != client.Permissions {
			t.Fatal(err)
		}
	}
}

func TestHalfASurrogatePairIsNotSentAsAnotherCharacter(t *testing.T) {
	c := talk(t, complaining(t, regexp.MustCompile(`^never`), nil))
	for _, command := range []string{
		`"op":"publish","subject":"\ud800","payload_base64":""`,
		`"op":"publish","subject":"a","payload_base64":"","headers":{"A":["\udc00\ud800"]}`,
		`"op":"subscribe","subject":"a","queue_group":"\ud800"`,
		`"op":"call","method":"email.send_email","args":["\ud800","s"],"timeout_ms":60000`,
	} {
		c.told(command, "bad_input true")
	}
	c.told(`"op":"publish","subject":"\ud83d\ude00","payload_base64":""`, "ok")
	c.end()
}
