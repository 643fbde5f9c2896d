// Package monodemo starts real nats-servers for tests, breaks them, and leaves nothing behind.
//
//	func TestOrders(t *testing.T) {
//		broker := monodemo.Broker(t)
//		client, err := nats.Connect(broker.URL)
//		...
//		broker.Kill()
//		broker.Restart()
//	}
//
// It needs the program mono-demo, of the same version: MONO_DEMO_BIN, or what PATH has.
package monodemo

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// Broker starts a nats-server for this test. It is stopped when the test is over; where that has failed,
// the last lines of its log are shown.
func Broker(t testing.TB, settings ...Settings) *Server {
	t.Helper()
	server, err := session(t).Broker(one(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	until(t, &server.handle)
	return server
}

// Cluster is the same with several that replicate each other's streams: 3 or more.
func Cluster(t testing.TB, nodes int, settings ...Settings) *Servers {
	t.Helper()
	servers, err := session(t).Cluster(nodes, one(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	until(t, &servers.handle)
	return servers
}

// Scenarios runs each scenario of a suite of `mono-demo e2e` as a subtest of its name.
func Scenarios(t *testing.T, suite string, arguments ...string) {
	t.Helper()
	run := func(more ...string) ([]byte, error) {
		args := append([]string{"e2e", suite}, append(more, arguments...)...)
		return exec.Command(program(), args...).Output()
	}
	said, err := run("--list", "--json")
	if err != nil {
		t.Fatalf("%s e2e %s --list: %v%s", program(), suite, err, stderr(err))
	}
	var listed struct {
		Scenarios []struct {
			Name string `json:"name"`
		} `json:"scenarios"`
	}
	if err := json.Unmarshal(said, &listed); err != nil {
		t.Fatalf("%s e2e %s --list: %v", program(), suite, err)
	}
	for _, scenario := range listed.Scenarios {
		t.Run(scenario.Name, func(t *testing.T) {
			if said, err := run(scenario.Name); err != nil {
				t.Errorf("%s%s", said, stderr(err))
			}
		})
	}
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "\n" + strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

func session(t testing.TB) *Session {
	t.Helper()
	started, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func one(t testing.TB, settings []Settings) Settings {
	t.Helper()
	switch len(settings) {
	case 0:
		return Settings{}
	case 1:
		return settings[0]
	}
	t.Fatalf("a broker has one Settings, not %d", len(settings))
	return Settings{}
}

// until stops it when the test is over.
func until(t testing.TB, started *handle) {
	started.t = t
	t.Cleanup(func() {
		if t.Failed() {
			lines, err := started.Log()
			if err == nil {
				t.Logf("last lines of %s:\n%s", started.Name, strings.Join(lines, "\n"))
			}
		}
		var known *Error
		// The test may have stopped it.
		if _, err := started.Stop(); err != nil && !(errors.As(err, &known) && known.Kind == "no_such") {
			t.Errorf("stop %s: %v", started.Name, err)
		}
	})
}
