package monodemo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const protocolVersion = 1

// greeting is how long the program may take to say who it is.
const greeting = 30 * time.Second

// Error says what was not done, why, and what to do about it.
type Error struct {
	// Kind is "protocol", "bad_input", "no_such" or "failed".
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	// Log holds the last lines of what did not start.
	Log []string `json:"log"`
}

func (e *Error) Error() string {
	text := e.Message
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	for _, line := range e.Log {
		text += "\n  | " + line
	}
	return text
}

// during says in which operation it was met.
func (e *Error) during(op string) *Error {
	met := *e
	met.Message = op + ": " + e.Message
	return &met
}

type reply struct {
	ID  *uint64         `json:"id"`
	OK  json.RawMessage `json:"ok"`
	Err *Error          `json:"err"`
}

// pipe is a `mono-demo control` that runs.
type pipe struct {
	command *exec.Cmd
	stdin   io.WriteCloser

	mutex   sync.Mutex
	last    uint64
	waiting map[uint64]chan reply
	ended   *Error
	said    []string

	// gone is closed when the program has ended.
	gone chan struct{}
}

// program is MONO_DEMO_BIN, or what PATH has.
func program() string {
	if named := os.Getenv("MONO_DEMO_BIN"); named != "" {
		return named
	}
	return "mono-demo"
}

// startPipe starts the program, which says within the limit who it is.
func startPipe(limit time.Duration) (*pipe, error) {
	p := &pipe{waiting: map[uint64]chan reply{}, gone: make(chan struct{})}
	p.command = exec.Command(program(), "control")
	// A session of its own: Ctrl-C is for the test, whose end closes the pipe.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		hint := "`pip install mono-demo` or `npm install mono-demo` brings it; MONO_DEMO_BIN names another one"
		return nil, &Error{Kind: "failed", Message: fmt.Sprintf("cannot start %s: %v", program(), err), Hint: hint}
	}
	go p.read(stdout, stderr)
	// One that reads and never answers is another program.
	silent := time.AfterFunc(limit, func() {
		p.mutex.Lock()
		message := fmt.Sprintf("`%s control` did not say who it is within %v: is it mono-demo?", program(), limit)
		p.ended = &Error{Kind: "failed", Message: message, Log: p.said}
		p.mutex.Unlock()
		// With all that it started.
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	})
	err = p.call("hello", map[string]any{"protocol": protocolVersion}, nil)
	if !silent.Stop() && err == nil {
		// The answer came too late: the program is killed, or about to be.
		<-p.gone
		err = p.call("hello", nil, nil)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// call does it, and puts what `ok` holds into answer; fields that are nil are left out.
func (p *pipe) call(op string, fields map[string]any, answer any) error {
	command := map[string]any{"op": op}
	for name, value := range fields {
		if value != nil && value != "" {
			command[name] = value
		}
	}
	answered := make(chan reply, 1)
	p.mutex.Lock()
	if p.ended != nil {
		defer p.mutex.Unlock()
		return p.ended.during(op)
	}
	p.last++
	command["id"] = p.last
	p.waiting[p.last] = answered
	line, err := json.Marshal(command)
	if err == nil {
		// One that has ended is told by the reader.
		_, _ = p.stdin.Write(append(line, '\n'))
	}
	p.mutex.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	came, lives := <-answered
	if !lives {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		return p.ended.during(op)
	}
	if came.Err != nil {
		return came.Err
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(came.OK, answer)
}

// started is what a call has filled in, or nil where it has failed.
func started[T any](made *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return made, nil
}

// close ends the program, and with it all that it started.
func (p *pipe) close() {
	p.mutex.Lock()
	underWay := len(p.waiting) > 0
	p.mutex.Unlock()
	if underWay {
		// Nobody wants an answer any more that it would finish first.
		_ = p.command.Process.Signal(syscall.SIGTERM)
	}
	_ = p.stdin.Close()
	<-p.gone
}

func (p *pipe) read(stdout, stderr io.Reader) {
	var both sync.WaitGroup
	both.Add(1)
	go func() {
		defer both.Done()
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			p.keep(line)
			if err != nil {
				return
			}
		}
	}()
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var came reply
		if json.Unmarshal(line, &came) != nil {
			p.keep(string(line))
			continue
		}
		if came.ID == nil {
			continue
		}
		p.mutex.Lock()
		waiting := p.waiting[*came.ID]
		delete(p.waiting, *came.ID)
		p.mutex.Unlock()
		if waiting != nil {
			waiting <- came
		}
	}
	both.Wait()
	_ = p.command.Wait()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	// One that was silent has its reason.
	if p.ended == nil {
		message := fmt.Sprintf("`%s control` has ended: %v", program(), p.command.ProcessState)
		p.ended = &Error{Kind: "failed", Message: message, Log: p.said}
	}
	if strings.Contains(strings.Join(p.said, "\n"), "unrecognized subcommand") {
		p.ended.Hint = "it is older than this module: install both in the same version"
	}
	for id, waiting := range p.waiting {
		close(waiting)
		delete(p.waiting, id)
	}
	close(p.gone)
}

// keep remembers the last lines that the program said.
func (p *pipe) keep(line string) {
	line = strings.TrimRight(line, "\n")
	if line == "" {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.said = append(p.said, line)
	if len(p.said) > 20 {
		p.said = p.said[1:]
	}
}
