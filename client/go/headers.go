// Header blocks of messages, as nats.go reads them: it hands on no raw bytes, so what it lets through
// and the clients in other languages do not is found in what it made of them.

package client

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

const (
	// Where nats.go puts the first line's status and words; a header line may have the same name.
	statusHeader, wordsHeader = "Status", "Description"
	// What the server says beside "no responders".
	subjectHeader = "Nats-Subject"
)

var (
	visible     = regexp.MustCompile("^[!-~]+$")
	threeDigits = regexp.MustCompile("^[0-9]{3}$")
	statusCode  = regexp.MustCompile("^[1-9][0-9]{2}$")
)

// CheckHeaders fails where the headers, the subject or the reply subject of a message cannot be read.
//
// A message whose headers nats.go cannot decode is handed on without any, and a reply's error would
// be taken for a result; its size on the wire tells.
func CheckHeaders(received *nats.Msg) error {
	why := ""
	switch {
	case !utf8.ValidString(received.Subject):
		why = "the subject is not UTF-8"
	case !utf8.ValidString(received.Reply):
		why = "the reply subject is not UTF-8"
	case received.Header == nil && blockBytes(received) > 0:
		why = "its headers are none"
	}
	for name, values := range received.Header {
		if !visible.MatchString(name) {
			why = "a header's name is not of visible ASCII characters"
		}
		for _, value := range values {
			switch {
			case !utf8.ValidString(value):
				why = "the headers are not UTF-8"
			case strings.ContainsAny(value, "\r\x00"):
				why = "a header's value has a carriage return or a NUL in it"
			}
		}
	}
	if status := received.Header[statusHeader]; why == "" && startsWithStatus(received) &&
		!statusCode.MatchString(status[len(status)-1]) {
		why = "the status is not a number of three digits"
	}
	if why == "" {
		return nil
	}
	what := fmt.Sprintf("a message came on %q, and it cannot be read: %s", excerpt(received.Subject), why)
	return &Error{Kind: Other, Message: what}
}

// startsWithStatus says that the first line may have had a status, not only a header of that name.
func startsWithStatus(received *nats.Msg) bool {
	lines := len("NATS/1.0\r\n\r\n")
	for name, values := range received.Header {
		for _, value := range values {
			lines += len(name) + len(":") + len(value) + len("\r\n")
		}
	}
	// The line `Status: 503` is longer than the status on the first line.
	return len(received.Header[statusHeader]) > 0 && blockBytes(received) < lines
}

// isNoResponders is true for the word of the server itself that nobody listens: status 503, no body,
// and no header but the subject. A service may answer with the same status, with a body or with
// headers of its own.
func isNoResponders(reply *nats.Msg) bool {
	if len(reply.Data) > 0 || reply.Header.Get(statusHeader) != "503" {
		return false
	}
	block := "NATS/1.0 503"
	if words := reply.Header.Get(wordsHeader); words != "" {
		block += " " + words
	}
	if subject, ok := reply.Header[subjectHeader]; ok {
		block += "\r\n" + subjectHeader + ": " + subject[0]
	}
	return blockBytes(reply) == len(block)+len("\r\n\r\n")
}

// header is the first value of that name without blanks around it, and whether there is one.
func header(reply *nats.Msg, name string) (string, bool) {
	values := reply.Header[name]
	if len(values) == 0 {
		return "", false
	}
	return strings.TrimSpace(values[0]), true
}

// blockBytes is how long the header block was on the wire.
func blockBytes(received *nats.Msg) int {
	return received.Size() - len(received.Subject) - len(received.Reply) - len(received.Data)
}
