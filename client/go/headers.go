// Header blocks of messages, as nats.go reads them: it hands on no raw bytes, so what it lets through
// and the clients in other languages do not is found in what it made of them, and in their size.

package client

import (
	"fmt"
	"regexp"
	"slices"
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
	if why == "" && received.Header != nil {
		switch block := read(received); {
		case !block.plausible():
			why = "its headers have more or fewer bytes than what is known of them"
		case block.hasStatus && !statusCode.MatchString(block.status):
			why = "the status is not a number of three digits"
		}
	}
	if why == "" {
		return nil
	}
	what := fmt.Sprintf("a message came on %q, and it cannot be read: %s", excerpt(received.Subject), why)
	return &Error{Kind: Other, Message: what}
}

// block is one way to read a header block: nats.go makes the headers `Status` and `Description` of the
// first line, which lines may be called as well.
type block struct {
	status    string
	hasStatus bool
	// Its lines without the first, and those of them that servers add.
	lines, added int
	// How many bytes it has beside names, values, words, colons and line ends: blanks, and what
	// nats.go passes over.
	excess int
}

// read is the way to read it in which each value has its blank; where there is none, all is on the
// first line.
func read(received *nats.Msg) block {
	plain := block{excess: blockBytes(received) - len("NATS/1.0\r\n\r\n")}
	for name, values := range received.Header {
		for _, value := range values {
			plain.excess -= len(name) + len(":") + len(value) + len("\r\n")
		}
		plain.lines += len(values)
		if strings.HasPrefix(name, "Nats-") {
			plain.added += len(values)
		}
	}
	ways := []block{plain}
	if status := received.Header[statusHeader]; len(status) > 0 {
		inline := plain
		inline.status, inline.hasStatus = status[len(status)-1], true
		inline.lines--
		inline.excess += len("Status:\r\n") - len(" ")
		ways = append(ways, inline)
		if len(received.Header[wordsHeader]) > 0 {
			inline.lines--
			inline.excess += len("Description:\r\n") - len(" ")
			ways = append(ways, inline)
		}
	}
	if exact := slices.IndexFunc(ways, block.exact); exact >= 0 {
		return ways[exact]
	}
	return ways[len(ways)-1]
}

// exact is true where there is one blank before each value and none elsewhere.
func (b block) exact() bool { return b.excess == b.lines }

// plausible is true where the bytes beside names and values may be blanks: one before each value, or
// none (as some clients write), or one in what the server adds to such a block; or more, but not so
// many that an error is behind the empty line where nats.go stops. Fewer are line feeds for line ends.
func (b block) plausible() bool {
	more := b.lines > 0 || b.hasStatus
	return b.exact() || b.excess == 0 || b.excess == b.added ||
		more && b.excess > b.lines && b.excess < len("Mono-Error:true")
}

// isNoResponders is true for the word of the server itself that nobody listens: status 503, no body,
// and not a byte more than it takes to say so, and for which subject. Whatever else has that status
// comes from somebody who has read the request.
func isNoResponders(reply *nats.Msg) bool {
	if len(reply.Data) > 0 || CheckHeaders(reply) != nil {
		return false
	}
	block, subjects := read(reply), reply.Header[subjectHeader]
	own := len(subjects) == block.lines && block.lines <= 1
	if own && block.lines == 1 {
		own = subjects[0] == strings.TrimSpace(subjects[0])
	}
	return own && block.exact() && block.status == "503"
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
