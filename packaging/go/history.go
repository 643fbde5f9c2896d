package monodemo

import (
	"encoding/base64"
	"path/filepath"
	"testing"
)

// History is what a test does with a broker, and what is promised of it. Faults through this package are on
// record by themselves. Nobody judges it but MustHold and Judge: a test that calls neither proves nothing.
type History struct{ handle }

// History begins one. The promises are tables as [promise.NAME] of a suite, by name.
func (c *connectable) History(promises map[string]any) (*History, error) {
	absolute, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	history := &History{}
	history.pipe = c.pipe
	fields := map[string]any{"of": c.Name, "promises": promises, "dir": absolute}
	return started(history, c.pipe.call("history.begin", fields, history))
}

// Operation is under way until one of its methods says how it ended; it may have happened otherwise.
type Operation struct {
	history *History
	number  uint64
}

// Submit notes a JetStream publish that waits for its acknowledgement: before the client's own call.
func (h *History) Submit(subject string, body []byte, headers map[string][]string) (*Operation, error) {
	return h.invoke("submit", subject, body, headers)
}

// Request notes a request that waits for its reply.
func (h *History) Request(subject string, body []byte, headers map[string][]string) (*Operation, error) {
	return h.invoke("request", subject, body, headers)
}

// Publish notes a core publish; it has ended once it was flushed.
func (h *History) Publish(subject string, body []byte, headers map[string][]string) (*Operation, error) {
	return h.invoke("publish", subject, body, headers)
}

func (h *History) invoke(verb, subject string, body []byte, headers map[string][]string) (*Operation, error) {
	fields := map[string]any{
		"of": h.Name, "verb": verb, "subject": subject,
		"payload_base64": base64.StdEncoding.EncodeToString(body),
	}
	if len(headers) > 0 {
		fields["headers"] = headers
	}
	var answer struct {
		Operation uint64 `json:"operation"`
	}
	if err := h.pipe.call("history.invoke", fields, &answer); err != nil {
		return nil, err
	}
	return &Operation{h, answer.Operation}, nil
}

// OK says that it happened.
func (o *Operation) OK() error { return o.end("ok", nil) }

// Acknowledged says that a stream has it, under this sequence, or had it already.
func (o *Operation) Acknowledged(sequence uint64, duplicate bool) error {
	return o.end("ok", map[string]any{"sequence": sequence, "duplicate": duplicate})
}

// Failed says that it certainly did not happen: nobody was asked, or it was refused.
func (o *Operation) Failed(why error) error {
	return o.end("fail", map[string]any{"reason": why.Error()})
}

// Unknown says that it may have happened: a timeout, a connection that broke.
func (o *Operation) Unknown(why error) error {
	return o.end("unknown", map[string]any{"reason": why.Error()})
}

func (o *Operation) end(outcome string, more map[string]any) error {
	fields := map[string]any{"of": o.history.Name, "operation": o.number, "outcome": outcome}
	for name, value := range more {
		fields[name] = value
	}
	return o.history.pipe.call("history.end", fields, nil)
}

// Judged is what came of one promise.
type Judged struct {
	// Name is as it was declared; of a property of every history, its word.
	Name string `json:"name"`
	// Verdict is "valid", "invalid" or "unknown".
	Verdict string `json:"verdict"`
	// LookedAt is how many things it was held against.
	LookedAt uint64 `json:"looked_at"`
	// Told is where it is broken, or what is not known: sentences.
	Told []string `json:"told"`
}

// Verdict is what came of a history.
type Verdict struct {
	// Verdict is "valid", "invalid", or "unknown", which proves nothing.
	Verdict string `json:"verdict"`
	// Report is for people: each promise, its evidence, and the figures.
	Report string `json:"report"`
	// Declared is what was declared, by its name.
	Declared map[string]Judged `json:"declared"`
	// Properties is what every history promises, as "replies", by its word.
	Properties map[string]Judged `json:"properties"`
	// Promises are both, one after the other: a promise may have the name of a property, as "order".
	Promises []Judged `json:"promises"`
	// Figures are as "acknowledged", "done", "lost" and "twice".
	Figures map[string]any `json:"figures"`
	// Hazards did no harm and will.
	Hazards []struct {
		Name    string `json:"name"`
		Seen    string `json:"seen"`
		LeadsTo string `json:"leads_to"`
		Remedy  string `json:"remedy"`
		Manual  string `json:"manual"`
	} `json:"hazards"`
	// NoHazards is why nobody looked for hazards, where nobody could.
	NoHazards string `json:"no_hazards"`
}

// Judge waits until what was promised is there or too late, and judges, once.
func (h *History) Judge() (Verdict, error) { return h.judge("") }

// JudgeInto is the same, and keeps the history in a new file, for `mono-demo history check`.
func (h *History) JudgeInto(file string) (Verdict, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return Verdict{}, err
	}
	return h.judge(absolute)
}

func (h *History) judge(into string) (Verdict, error) {
	var verdict Verdict
	err := h.pipe.call("history.judge", map[string]any{"of": h.Name, "into": into}, &verdict)
	return verdict, err
}

// MustHold judges, and ends the test with the report unless the verdict is valid.
func (h *History) MustHold(t testing.TB) Verdict {
	t.Helper()
	verdict, err := h.Judge()
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Verdict != "valid" {
		t.Fatalf("the history is %s\n%s", verdict.Verdict, verdict.Report)
	}
	return verdict
}
