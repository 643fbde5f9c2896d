package monodemo

import (
	"path/filepath"
	"sync"
)

// Settings is what is wanted of a broker; the zero value is a broker with JetStream on a free port.
type Settings struct {
	// NoJetStream leaves JetStream out.
	NoJetStream bool
	// Port is a free one where it is 0.
	Port uint16
	// User and Password, or Token, must be shown by clients.
	User, Password, Token string
	// TLS: clients must speak it.
	TLS *TLS
	// Accounts can be added while it runs, by Account.
	Accounts bool
	// Partitions, of a cluster: nodes can be cut off from each other, by Isolate.
	Partitions bool
	// Config is more lines for the config file, in nats-server's language.
	Config string
	// MaxPayload is the largest message, bytes; 1 MiB where it is 0.
	MaxPayload int
	// Store is a folder that keeps its messages; a temporary one where it is empty.
	Store string
	// StoreFrom is a store folder that it begins with a copy of.
	StoreFrom string
	// ReadyWithin is how long it may take to be ready, milliseconds; 10,000 where it is 0.
	ReadyWithin int
}

// TLS names files.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	// CA is the authority that signed it; empty where the system trusts it.
	CA string `json:"ca,omitempty"`
}

func (s Settings) fields() (map[string]any, error) {
	fields := map[string]any{"jetstream": !s.NoJetStream, "accounts": s.Accounts}
	put := func(name string, value any, wanted bool) {
		if wanted {
			fields[name] = value
		}
	}
	put("port", s.Port, s.Port != 0)
	put("user", s.User, s.User != "")
	put("password", s.Password, s.Password != "")
	put("token", s.Token, s.Token != "")
	put("config", s.Config, s.Config != "")
	put("max_payload", s.MaxPayload, s.MaxPayload != 0)
	put("ready_within_ms", s.ReadyWithin, s.ReadyWithin != 0)
	for name, path := range map[string]string{"store": s.Store, "store_from": s.StoreFrom} {
		if path != "" {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			fields[name] = absolute
		}
	}
	if s.TLS != nil {
		files := *s.TLS
		for _, path := range []*string{&files.Cert, &files.Key, &files.CA} {
			if *path != "" {
				absolute, err := filepath.Abs(*path)
				if err != nil {
					return nil, err
				}
				*path = absolute
			}
		}
		fields["tls"] = files
	}
	return fields, nil
}

// Session holds all that was started through one `mono-demo control`. It is safe for goroutines.
type Session struct{ pipe *pipe }

// Start begins a session, as for TestMain; Close ends it.
func Start() (*Session, error) {
	started, err := startPipe(greeting)
	if err != nil {
		return nil, err
	}
	return &Session{started}, nil
}

// Close ends everything at once, and returns when all is gone. Without it that happens when the
// process ends, however.
func (s *Session) Close() { s.pipe.close() }

// Broker starts a nats-server, and returns once a client was served by it.
func (s *Session) Broker(settings Settings) (*Server, error) {
	fields, err := settings.fields()
	if err != nil {
		return nil, err
	}
	server := &Server{}
	server.pipe = s.pipe
	return started(server, s.pipe.call("broker.start", map[string]any{"settings": fields}, server))
}

// Cluster starts servers that replicate each other's streams: 3 or more.
func (s *Session) Cluster(nodes int, settings Settings) (*Servers, error) {
	fields, err := settings.fields()
	if err != nil {
		return nil, err
	}
	servers := &Servers{}
	servers.pipe = s.pipe
	wanted := map[string]any{"nodes": nodes, "partitions": settings.Partitions, "settings": fields}
	return started(servers, s.pipe.call("cluster.start", wanted, servers))
}

// Run is what is wanted of a program.
type Run struct {
	// Command is the program, then its arguments.
	Command []string
	// Env is added to this process's environment; NATS_URL leads to where it was started.
	Env map[string]string
	// Dir is its working folder; this process's where it is empty.
	Dir string
	// ReadyLine, ReadyPort, ReadyHTTP, ReadySubject or ReadyService says how it is seen to be ready: a line
	// that it prints, a port of 127.0.0.1, an http:// URL that is answered with a status from 200 to 299, a
	// subject that is answered, a service that answers $SRV.PING.
	ReadyLine, ReadyHTTP, ReadySubject, ReadyService string
	ReadyPort                                        uint16
	// ReadyWithin and StopWithin are milliseconds; 10,000 where they are 0.
	ReadyWithin, StopWithin int
}

func (r Run) fields(of string) (map[string]any, error) {
	dir := r.Dir
	if dir == "" {
		dir = "."
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{"run": r.Command, "of": of, "cwd": absolute}
	for _, ready := range []struct {
		word, text string
	}{{"line", r.ReadyLine}, {"http", r.ReadyHTTP}, {"subject", r.ReadySubject}, {"service", r.ReadyService}} {
		if ready.text != "" {
			fields["ready"] = map[string]any{ready.word: ready.text}
		}
	}
	if r.ReadyPort != 0 {
		fields["ready"] = map[string]any{"port": r.ReadyPort}
	}
	if len(r.Env) > 0 {
		fields["env"] = r.Env
	}
	if r.ReadyWithin != 0 {
		fields["ready_within_ms"] = r.ReadyWithin
	}
	if r.StopWithin != 0 {
		fields["stop_within_ms"] = r.StopWithin
	}
	return fields, nil
}

// shared is the session of Broker and Cluster, begun by the first test that wants one.
var shared = sync.OnceValues(Start)
