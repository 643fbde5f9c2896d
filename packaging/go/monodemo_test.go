package monodemo_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mono-demo.example/monodemo"
)

// must ends the test with an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// info is what a server says first, or why it does not.
func info(t *testing.T, address string) (string, error) {
	t.Helper()
	parsed, err := url.Parse(address)
	must(t, err)
	connection, err := net.Dial("tcp", parsed.Host)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	return bufio.NewReader(connection).ReadString('\n')
}

// lives tells whether a process is there and no zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z")
}

func TestABrokerIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	broker := monodemo.Broker(t)
	must(t, broker.Stream(map[string]any{"name": "S", "subjects": []string{"s"}}))
	before := broker.PID
	must(t, broker.Kill())
	if _, err := info(t, broker.URL); err == nil {
		t.Error("it answers")
	}
	must(t, broker.Restart())
	said, err := info(t, broker.URL)
	must(t, err)
	if broker.PID == before || !strings.Contains(said, `"jetstream":true`) {
		t.Errorf("%d, %s", broker.PID, said)
	}
	// The stream is there: another one of that name is refused.
	if err := broker.Stream(map[string]any{"name": "S", "subjects": []string{"t"}}); err == nil {
		t.Error("the stream is lost")
	}
}

func TestItIsGoneWhenItsTestIs(t *testing.T) {
	t.Parallel()
	var pid int
	t.Run("inner", func(t *testing.T) { pid = monodemo.Broker(t, monodemo.Settings{NoJetStream: true}).PID })
	if lives(pid) {
		t.Error("it lives")
	}
}

func TestAccountsProxiesServicesAndLeaks(t *testing.T) {
	t.Parallel()
	broker := monodemo.Broker(t, monodemo.Settings{Accounts: true})
	account, err := broker.Account()
	must(t, err)
	config := map[string]any{"name": "S", "subjects": []string{"s"}}
	must(t, account.Stream(config))
	must(t, broker.Stream(config))
	proxy, err := account.Proxy()
	must(t, err)
	must(t, proxy.Refuse())
	if _, err := info(t, proxy.URL); err == nil {
		t.Error("it is not refused")
	}
	must(t, proxy.Heal())
	_, err = info(t, proxy.URL)
	must(t, err)
	must(t, proxy.Lose(monodemo.Messages{Message: "pub-ack", Subject: "s"}))
	_, err = broker.Leaks()
	must(t, err)
	service, err := account.Start(monodemo.Run{
		Command:   []string{"sh", "-c", "echo up at $NATS_URL in $PLACE; sleep 1000"},
		Env:       map[string]string{"PLACE": "here"},
		ReadyLine: "up at",
	})
	must(t, err)
	before := service.PID
	must(t, service.Kill())
	must(t, service.Restart())
	lines, err := service.Log()
	must(t, err)
	wanted := "up at " + account.URL + " in here"
	if service.PID == before || lines[len(lines)-1] != wanted {
		t.Errorf("%q, not %q", lines, wanted)
	}
}

func TestAServiceIsReadyWhenItsPageIsAndABrokerSaysItsVersion(t *testing.T) {
	t.Parallel()
	broker := monodemo.Broker(t, monodemo.Settings{NoJetStream: true})
	if !strings.HasPrefix(broker.Version, "2.") {
		t.Errorf("%q", broker.Version)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := free.Addr().(*net.TCPAddr)
	must(t, free.Close())
	url := fmt.Sprintf("http://127.0.0.1:%d/", address.Port)
	page := "import sys, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"
	_, err = broker.Start(monodemo.Run{
		Command:   []string{"python3", "-c", page, fmt.Sprint(address.Port)},
		ReadyHTTP: url,
	})
	must(t, err)
	answer, err := http.Get(url)
	must(t, err)
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Error(answer.Status)
	}
	_, err = broker.Start(monodemo.Run{Command: []string{"sleep", "1"}, ReadyHTTP: "https://h/"})
	if err == nil || !strings.Contains(err.Error(), "is not an http:// URL") {
		t.Error(err)
	}
}

func TestAClusterLosesItsLeader(t *testing.T) {
	t.Parallel()
	cluster := monodemo.Cluster(t, 3)
	must(t, cluster.Stream(map[string]any{"name": "S", "subjects": []string{"s"}, "num_replicas": 3}))
	dead, err := cluster.KillLeader("S")
	must(t, err)
	if dead < 0 || dead > 2 {
		t.Error(dead)
	}
	must(t, cluster.Heal())
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	session, err := monodemo.Start()
	must(t, err)
	defer session.Close()
	_, err = session.Broker(monodemo.Settings{Config: "jetstream: disabled"})
	if err == nil || !strings.Contains(err.Error(), "settings.config: line 1 sets `jetstream`") {
		t.Error(err)
	}
	broker, err := session.Broker(monodemo.Settings{})
	must(t, err)
	_, err = broker.Start(monodemo.Run{Command: []string{"sh", "-c", "echo no room; exit 3"}, ReadyLine: "up"})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "| no room") {
		t.Error(err)
	}
	session.Close()
	if lives(broker.PID) {
		t.Error("it lives")
	}
	if err := broker.Kill(); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Error(err)
	}
}

func TestAnotherProgramOrNoneIsTold(t *testing.T) {
	folder := t.TempDir()
	other := filepath.Join(folder, "mono-demo")
	script := "#!/bin/sh\necho \"error: unrecognized subcommand 'control'\" >&2\nexit 2\n"
	must(t, os.WriteFile(other, []byte(script), 0o755))
	for program, told := range map[string]string{
		other:                            "older than this module",
		filepath.Join(folder, "nowhere"): "cannot start",
	} {
		t.Setenv("MONO_DEMO_BIN", program)
		if _, err := monodemo.Start(); err == nil || !strings.Contains(err.Error(), told) {
			t.Error(err)
		}
	}
}

// TestInner is a test of another program's, which the tests below run.
func TestInner(t *testing.T) {
	switch os.Getenv("MONODEMO_INNER") {
	case "fails":
		broker := monodemo.Broker(t)
		_, err := broker.Start(monodemo.Run{Command: []string{"sh", "-c", "echo up; exec sleep 1000"}, ReadyLine: "up"})
		must(t, err)
		t.Error("on purpose")
	case "passes":
		broker := monodemo.Broker(t)
		must(t, broker.Stream(map[string]any{"name": "S", "subjects": []string{"s"}}))
	case "hangs":
		fmt.Println("pid", monodemo.Broker(t).PID)
		select {}
	default:
		t.Skip("another test runs it")
	}
}

func inner(t *testing.T, how string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestInner$", "-test.v")
	command.Env = append(os.Environ(), "MONODEMO_INNER="+how)
	return command
}

func TestAFailureShowsTheLog(t *testing.T) {
	said, err := inner(t, "fails").CombinedOutput()
	if err == nil {
		t.Errorf("%s", said)
	}
	// The service is stopped before its broker.
	rest := string(said)
	for _, wanted := range []string{"last lines of service-1:", "up\n", "last lines of broker-1:", "Server is ready"} {
		_, after, found := strings.Cut(rest, wanted)
		if !found {
			t.Errorf("%q: %s", wanted, said)
		}
		rest = after
	}
}

func TestNothingIsLeftOfATestThatIsKilled(t *testing.T) {
	command := inner(t, "hangs")
	stdout, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	var pid int
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "pid %d", &pid); err == nil {
			break
		}
	}
	if !lives(pid) {
		t.Fatal("it does not live")
	}
	must(t, command.Process.Kill())
	_ = command.Wait()
	untilGone(t, pid)
}

// untilGone looks for a process: one of others cannot be awaited.
func untilGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); lives(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it lives")
		}
	}
}

func TestScenariosAreSubtests(t *testing.T) {
	folder := t.TempDir()
	program := os.Getenv("MONO_DEMO_BIN")
	if program == "" {
		program = "mono-demo"
	}
	made := exec.Command(program, "e2e", "new", "greetings")
	made.Dir = folder
	must(t, made.Run())
	monodemo.Scenarios(t, filepath.Join(folder, "greetings"), "--client", "rust")
}

func TestWhatWasPromisedIsJudged(t *testing.T) {
	t.Parallel()
	broker := monodemo.Broker(t)
	receipts := filepath.Join(t.TempDir(), "receipts.jsonl")
	must(t, os.WriteFile(receipts, nil, 0o600))
	promises := map[string]any{"order": map[string]any{
		"operation": map[string]any{"submit": "orders.new"},
		"key":       "/id",
		"effect":    map[string]any{"command": []string{"cat", receipts}, "key": "/id"},
		"within":    "1s",
	}}
	order := func(history *monodemo.History, id string, sequence uint64) {
		operation, err := history.Submit("orders.new", []byte(`{"id":"`+id+`"}`), nil)
		must(t, err)
		must(t, operation.Acknowledged(sequence, false))
	}
	kept, err := broker.History(promises)
	must(t, err)
	order(kept, "o-1", 1)
	must(t, os.WriteFile(receipts, []byte("{\"id\":\"o-1\"}\n"), 0o600))
	held := kept.MustHold(t)
	if held.Figures["done"] != 1.0 {
		t.Error(held.Report)
	}
	// A promise and a property may have one name.
	if declared := held.Declared["order"]; declared.Verdict != "valid" || declared.LookedAt != 1 {
		t.Error(held.Declared)
	}
	if property := held.Properties["order"]; property.Name != "order" || property.LookedAt != 0 {
		t.Error(held.Properties)
	}
	lost, err := broker.History(promises)
	must(t, err)
	order(lost, "o-2", 2)
	verdict, err := lost.Judge()
	must(t, err)
	if verdict.Verdict != "invalid" || !strings.Contains(verdict.Report, "`o-2`") {
		t.Error(verdict.Report)
	}
	if _, err := lost.Judge(); err == nil || !strings.Contains(err.Error(), "history-") {
		t.Error(err)
	}
	if operation, err := lost.Submit("orders.new", nil, nil); operation != nil || err == nil {
		t.Error(operation, err)
	}
	if wrong, err := broker.History(nil); wrong != nil || err == nil {
		t.Error(wrong, err)
	}
	idle, err := broker.History(promises)
	must(t, err)
	if _, err := idle.JudgeInto(filepath.Join(t.TempDir(), "nowhere", "idle.jsonl")); err == nil {
		t.Error("it is kept nowhere")
	}
	file := filepath.Join(t.TempDir(), "idle.jsonl")
	verdict, err = idle.JudgeInto(file)
	must(t, err)
	if _, err := os.Stat(file); err != nil || verdict.Verdict != "unknown" || verdict.NoHazards != "" {
		t.Error(err, verdict)
	}
	plain := monodemo.Broker(t, monodemo.Settings{NoJetStream: true})
	unseen, err := plain.History(promises)
	must(t, err)
	verdict, err = unseen.Judge()
	must(t, err)
	if !strings.Contains(verdict.NoHazards, "JetStream") {
		t.Errorf("%q", verdict.NoHazards)
	}
}
