package monodemo_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mono-demo.example/monodemo"
)

func TestAControlThatDiesIsTold(t *testing.T) {
	session, err := monodemo.Start()
	must(t, err)
	defer session.Close()
	broker, err := session.Broker(monodemo.Settings{})
	must(t, err)
	must(t, syscall.Kill(controlOf(t, os.Getpid(), broker.PID), syscall.SIGKILL))
	err = broker.Kill()
	if err == nil || !strings.Contains(err.Error(), "fault: `") || !strings.Contains(err.Error(), "has ended: signal: killed") {
		t.Error(err)
	}
	untilGone(t, broker.PID)
}

// controlOf is the child of a process that has this broker somewhere below it.
func controlOf(t *testing.T, process, broker int) int {
	t.Helper()
	for pid := broker; pid > 1; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		must(t, err)
		// The name, in brackets, may have anything in it.
		fields := strings.Fields(string(stat)[strings.LastIndex(string(stat), ")")+1:])
		parent, err := strconv.Atoi(fields[1])
		must(t, err)
		if parent == process {
			return pid
		}
		pid = parent
	}
	t.Fatal("no child has it")
	return 0
}

func TestAHomeThatNobodyCanWriteInto(t *testing.T) {
	home, _ := os.UserHomeDir()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(home, ".cache")
	}
	servers, err := filepath.Glob(filepath.Join(cache, "mono-demo", "nats-server-*", "nats-server"))
	must(t, err)
	t.Setenv("XDG_CACHE_HOME", "")
	// Not even root can make a folder there.
	t.Setenv("HOME", "/proc/none")
	bin, err := exec.LookPath(os.Getenv("MONO_DEMO_BIN"))
	must(t, err)
	t.Setenv("MONO_DEMO_BIN", bin)
	t.Setenv("PATH", "/usr/bin:/bin")
	session, err := monodemo.Start()
	must(t, err)
	defer session.Close()
	_, err = session.Broker(monodemo.Settings{})
	if err == nil || !strings.Contains(err.Error(), "broker.start: could not use the folder /proc/none/.cache/mono-demo: ") ||
		!strings.Contains(err.Error(), "hint: make sure that you can write to that folder") {
		t.Error(err)
	}
	if len(servers) == 0 {
		t.Skip("there is no nats-server outside of a package")
	}
	// With a server that is installed nothing needs to be written there.
	t.Setenv("MONO_DEMO_NATS_SERVER", servers[0])
	other, err := monodemo.Start()
	must(t, err)
	defer other.Close()
	if _, err := other.Broker(monodemo.Settings{}); err != nil {
		t.Error(err)
	}
}

func TestTwoSessionsAtOnceKnowNothingOfEachOther(t *testing.T) {
	var sessions [2]*monodemo.Session
	var brokers [2]*monodemo.Server
	for i := range sessions {
		session, err := monodemo.Start()
		must(t, err)
		defer session.Close()
		broker, err := session.Broker(monodemo.Settings{})
		must(t, err)
		sessions[i], brokers[i] = session, broker
	}
	must(t, brokers[0].Stream(map[string]any{"name": "S", "subjects": []string{"s"}}))
	must(t, brokers[1].Stream(map[string]any{"name": "S", "subjects": []string{"other"}}))
	must(t, brokers[0].Kill())
	sessions[0].Close()
	if _, err := info(t, brokers[1].URL); err != nil {
		t.Error(err)
	}
	if err := brokers[0].Restart(); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Error(err)
	}
}

func TestWhatTheMachineLacksIsTold(t *testing.T) {
	disk := t.TempDir()
	for how, words := range map[string]struct{ unshare, make, use, told string }{
		"no IPv6": {
			"--net", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up", ":", "--- PASS: TestInner",
		},
		"a full disk": {
			"--mount", "mount -t tmpfs -o size=64k tmpfs " + disk,
			"export TMPDIR=" + disk + "; head -c 1000000 /dev/zero > " + disk + "/all 2>/dev/null", "No space left on device",
		},
	} {
		t.Run(how, func(t *testing.T) {
			if exec.Command("unshare", words.unshare, "sh", "-c", words.make).Run() != nil {
				t.Skip("this user makes no network and no disk of its own")
			}
			inside := words.make + " && " + words.use + "; exec " + os.Args[0] + " -test.run='^TestInner$' -test.v"
			command := exec.Command("unshare", words.unshare, "sh", "-c", inside)
			command.Env = append(os.Environ(), "MONODEMO_INNER=passes")
			said, _ := command.CombinedOutput()
			if !strings.Contains(string(said), words.told) {
				t.Errorf("%s", said)
			}
		})
	}
}
