package monodemo

import (
	"path/filepath"
	"testing"
)

// handle is something that was started.
type handle struct {
	pipe *pipe
	// Name is unique in its session.
	Name string `json:"name"`
	// t is the test whose end is its own; nil where somebody else stops it.
	t testing.TB
}

// Stop stops it in order, and says how it ended: "orderly", or as "exit status 1".
func (h *handle) Stop() (string, error) {
	var answer struct {
		Stopped []struct {
			How string `json:"how"`
		} `json:"stopped"`
	}
	if err := h.pipe.call("stop", map[string]any{"of": h.Name}, &answer); err != nil {
		return "", err
	}
	return answer.Stopped[0].How, nil
}

// Log is the last lines that it logged.
func (h *handle) Log() ([]string, error) {
	var answer struct {
		Logs []struct {
			Lines []string `json:"lines"`
		} `json:"logs"`
	}
	err := h.pipe.call("logs", map[string]any{"of": h.Name}, &answer)
	var lines []string
	for _, log := range answer.Logs {
		lines = append(lines, log.Lines...)
	}
	return lines, err
}

type done struct {
	PID   int   `json:"pid"`
	Nodes []int `json:"nodes"`
}

func (h *handle) fault(kind string, fields map[string]any) (done, error) {
	fault := map[string]any{"kind": kind}
	for name, value := range fields {
		fault[name] = value
	}
	var answer done
	err := h.pipe.call("fault", map[string]any{"of": h.Name, "fault": fault}, &answer)
	return answer, err
}

func (h *handle) inject(kind string, fields map[string]any) error {
	_, err := h.fault(kind, fields)
	return err
}

// connectable is what clients connect to.
type connectable struct {
	handle
	// URL is where clients connect, with what they must show; the same after a restart.
	URL string `json:"url"`
}

// Stream creates a stream; its configuration is JetStream's own.
func (c *connectable) Stream(config map[string]any) error {
	return c.pipe.call("stream.create", map[string]any{"of": c.Name, "config": config}, nil)
}

// Bucket creates a key-value bucket.
func (c *connectable) Bucket(name string) error {
	return c.pipe.call("kv.create", map[string]any{"of": c.Name, "bucket": name}, nil)
}

// Proxy is a network in front of it that can be broken.
func (c *connectable) Proxy() (*Proxy, error) {
	proxy := &Proxy{}
	proxy.pipe, proxy.t = c.pipe, c.t
	return started(proxy, c.pipe.call("proxy.start", map[string]any{"of": c.Name}, proxy))
}

// Start starts a program whose NATS_URL leads here, and returns once it is ready. Beside a broker of a test
// it is stopped when that test is over, and its last lines are shown where that has failed.
func (c *connectable) Start(run Run) (*Service, error) {
	fields, err := run.fields(c.Name)
	if err != nil {
		return nil, err
	}
	service := &Service{}
	service.pipe = c.pipe
	service, err = started(service, c.pipe.call("service.start", fields, service))
	if err == nil && c.t != nil {
		until(c.t, &service.handle)
	}
	return service, err
}

// Leaks is what clients hold at a broker.
type Leaks struct {
	Connections []struct {
		Name          string   `json:"name"`
		User          string   `json:"user"`
		Subscriptions []string `json:"subscriptions"`
	} `json:"connections"`
	Consumers []struct {
		Stream         string `json:"stream"`
		Name           string `json:"name"`
		Unacknowledged uint64 `json:"unacknowledged"`
		Pending        uint64 `json:"pending"`
		InUse          bool   `json:"in_use"`
	} `json:"consumers"`
}

// Leaks is what clients hold there.
func (c *connectable) Leaks() (Leaks, error) {
	var answer Leaks
	err := c.pipe.call("leaks", map[string]any{"of": c.Name}, &answer)
	return answer, err
}

// Account has subjects and streams of its own, in a broker that others use too.
type Account struct {
	connectable
	User     string `json:"user"`
	Password string `json:"password"`
}

// Server is a nats-server of one's own.
type Server struct {
	connectable
	Port uint16 `json:"port"`
	// PID is its process; another one after a restart.
	PID int `json:"pid"`
	// Version is that of nats-server, as "2.15.1".
	Version string `json:"version"`
}

// Kill sends SIGKILL; it stays away until Restart.
func (s *Server) Kill() error { return s.inject("kill", nil) }

// ShutDown sends SIGTERM, and waits for the end; it stays away until Restart.
func (s *Server) ShutDown() error { return s.inject("stop", nil) }

// Pause sends SIGSTOP: connections stay open, nothing answers.
func (s *Server) Pause() error { return s.inject("pause", nil) }

// Resume sends SIGCONT.
func (s *Server) Resume() error { return s.inject("resume", nil) }

// LameDuck: it sends its clients away and ends; it stays away until Restart.
func (s *Server) LameDuck() error { return s.inject("lame-duck", nil) }

// Restart starts it again, on the same port and store.
func (s *Server) Restart() error {
	answer, err := s.fault("restart", nil)
	if err == nil {
		s.PID = answer.PID
	}
	return err
}

// Account adds an account, where the broker was started with Accounts.
func (s *Server) Account() (*Account, error) {
	account := &Account{}
	account.pipe, account.t = s.pipe, s.t
	return started(account, s.pipe.call("account.create", map[string]any{"of": s.Name}, account))
}

// Keep copies log and store into a folder that stays.
func (s *Server) Keep(into string) error {
	absolute, err := filepath.Abs(into)
	if err != nil {
		return err
	}
	return s.pipe.call("keep", map[string]any{"of": s.Name, "into": absolute}, nil)
}

// Servers replicate each other's streams; nodes are counted from 0.
type Servers struct {
	connectable
	Nodes []struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	} `json:"nodes"`
}

// Kill sends SIGKILL to a node; it stays away until Restart or Heal.
func (s *Servers) Kill(node int) error { return s.inject("kill", map[string]any{"node": node}) }

// ShutDown sends SIGTERM to a node, which hands over what it leads.
func (s *Servers) ShutDown(node int) error { return s.inject("stop", map[string]any{"node": node}) }

// Restart starts a node again.
func (s *Servers) Restart(node int) error { return s.inject("restart", map[string]any{"node": node}) }

// Pause sends SIGSTOP to a node.
func (s *Servers) Pause(node int) error { return s.inject("pause", map[string]any{"node": node}) }

// Resume sends SIGCONT to a node.
func (s *Servers) Resume(node int) error { return s.inject("resume", map[string]any{"node": node}) }

// Wipe sends SIGKILL to a node, which loses its disk.
func (s *Servers) Wipe(node int) error { return s.inject("wipe", map[string]any{"node": node}) }

// Isolate cuts a node off from the others until Heal; its clients stay with it. The cluster was started with
// Partitions.
func (s *Servers) Isolate(node int) error { return s.inject("isolate", map[string]any{"node": node}) }

// KillLeader sends SIGKILL to the node that leads a stream, and says which.
func (s *Servers) KillLeader(stream string) (int, error) {
	answer, err := s.fault("kill-leader", map[string]any{"stream": stream})
	if err != nil {
		return 0, err
	}
	return answer.Nodes[0], nil
}

// LoseQuorum sends SIGKILL to as many nodes as leave less than a majority, and says which.
func (s *Servers) LoseQuorum() ([]int, error) {
	answer, err := s.fault("lose-quorum", nil)
	return answer.Nodes, err
}

// Heal returns once all nodes are up again and have caught up.
func (s *Servers) Heal() error { return s.inject("heal", nil) }

// Service is a program that runs beside a broker.
type Service struct {
	handle
	// PID is its process; another one after a restart.
	PID int `json:"pid"`
}

// Kill sends SIGKILL; it stays away until Restart.
func (s *Service) Kill() error { return s.inject("kill", nil) }

// ShutDown sends SIGTERM, and waits for the end; it stays away until Restart.
func (s *Service) ShutDown() error { return s.inject("stop", nil) }

// Pause sends SIGSTOP.
func (s *Service) Pause() error { return s.inject("pause", nil) }

// Resume sends SIGCONT.
func (s *Service) Resume() error { return s.inject("resume", nil) }

// Restart starts it again, and waits until it is ready.
func (s *Service) Restart() error {
	answer, err := s.fault("restart", nil)
	if err == nil {
		s.PID = answer.PID
	}
	return err
}

// Proxy is a network in front of a broker; faults stay until Heal.
type Proxy struct {
	connectable
	Port uint16 `json:"port"`
}

// Messages says which messages; all that is said must hold.
type Messages struct {
	// Message is "publish", "pub-ack", "delivery", "ack", "nak" or "reply".
	Message string `json:"message"`
	Subject string `json:"subject,omitempty"`
	Header  string `json:"header,omitempty"`
	Body    string `json:"body,omitempty"`
	// Nth is the next one where it is 0.
	Nth uint32 `json:"nth,omitempty"`
	// Every is every n-th, instead.
	Every uint32 `json:"every,omitempty"`
	Times uint32 `json:"times,omitempty"`
}

// A way through a proxy.
const (
	ToServer = "to-server"
	ToClient = "to-client"
)

// Delay: every byte takes longer, each way, by chance up to the jitter more; milliseconds.
func (p *Proxy) Delay(latency, jitter int) error {
	return p.inject("delay", map[string]any{"latency_ms": latency, "jitter_ms": jitter})
}

// Cut resets every connection now; new ones are accepted.
func (p *Proxy) Cut() error { return p.inject("cut", nil) }

// CutAfter cuts the connection that passes this byte, once.
func (p *Proxy) CutAfter(bytes int, direction string) error {
	return p.inject("cut-after", map[string]any{"bytes": bytes, "direction": direction})
}

// Chop writes at most so many bytes at once, with a pause after each; milliseconds.
func (p *Proxy) Chop(bytes, pause int) error {
	return p.inject("chop", map[string]any{"bytes": bytes, "pause_ms": pause})
}

// Blackhole: connections stay open and nothing arrives, either way.
func (p *Proxy) Blackhole() error { return p.inject("blackhole", nil) }

// HalfOpen: nothing arrives in this direction; the other passes.
func (p *Proxy) HalfOpen(direction string) error {
	return p.inject("half-open", map[string]any{"direction": direction})
}

// Refuse refuses new connections; those that are open stay.
func (p *Proxy) Refuse() error { return p.inject("refuse", nil) }

// Heal ends every fault.
func (p *Proxy) Heal() error { return p.inject("heal-network", nil) }

// Lose: such messages never arrive.
func (p *Proxy) Lose(messages Messages) error {
	return p.inject("lose", map[string]any{"messages": messages})
}

// Duplicate: they arrive twice.
func (p *Proxy) Duplicate(messages Messages) error {
	return p.inject("duplicate", map[string]any{"messages": messages})
}

// Late: they arrive later, by so many milliseconds; what comes behind overtakes them.
func (p *Proxy) Late(messages Messages, by int) error {
	return p.inject("late", map[string]any{"messages": messages, "by_ms": by})
}

// Swap: each changes places with the next one that matches.
func (p *Proxy) Swap(messages Messages) error {
	return p.inject("swap", map[string]any{"messages": messages})
}

// Disconnect ends their connection; the moment is "before" they arrive or "after".
func (p *Proxy) Disconnect(messages Messages, moment string) error {
	return p.inject("disconnect", map[string]any{"messages": messages, "moment": moment})
}
