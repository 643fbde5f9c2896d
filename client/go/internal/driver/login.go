// What each URL of a list says of who connects. All languages read such a list alike:
// `src/mono/address.rs` has the rule.

package driver

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	// Not by `(?i)`, to which ſ is an s.
	scheme = regexp.MustCompile("^([Nn][Aa][Tt][Ss]|[Tt][Ll][Ss]|[Ww][Ss][Ss]?)://")
	// A host, perhaps with a port and a path; what is not ASCII is encoded, as are % and a comma.
	host = regexp.MustCompile(
		`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?([/?#]([!-$&-+\--~]|%[0-9A-Fa-f]{2})*)?$`)
	// A percent sign that encodes nothing is one.
	percent = regexp.MustCompile("%([0-9A-Fa-f]{2})?")
)

// What may surround a URL; each language has blanks of its own.
const blanks = "\t\n\v\f\r "

var (
	errUnreadable = errors.New("not a NATS URL: a special character in a user name, password or token " +
		"is percent-encoded (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F, % is %25, " +
		"a comma is %2C), and a login in a list has a scheme before it")
	errPlace    = errors.New("not a NATS URL: expected nats://HOST:PORT")
	errNotUTF8  = errors.New("the user, password or token in a URL is not UTF-8")
	errNoServer = errors.New("no server is named")
)

// One of a list: as it is shown, and with its login, as nats.go reads it.
type server struct {
	shown string
	url   *url.URL
}

// servers reads a comma-separated list. No error has anything of the URLs in it.
func servers(urls string) ([]server, error) {
	var found []server
	for _, item := range items(urls) {
		scheme, info, at := parts(item)
		if strings.ContainsAny(info, ",/?#") {
			return nil, errUnreadable
		}
		if !host.MatchString(at) {
			// A part of a login may stand there, unless only the port is wrong.
			name := at[:len(at)-len(strings.TrimLeftFunc(at, inName))]
			if info == "" || host.MatchString(name) {
				return nil, errPlace
			}
			return nil, errUnreadable
		}
		login, err := decoded(info)
		if err != nil {
			return nil, err
		}
		parsed, err := url.Parse(cmp.Or(scheme, "nats://") + at)
		if err != nil {
			return nil, errPlace
		}
		parsed.User = login
		found = append(found, server{scheme + at, parsed})
	}
	if found == nil {
		return nil, errNoServer
	}
	return found, nil
}

// inName is whether a character comes before a port, a path or a query.
func inName(c rune) bool { return !strings.ContainsRune("/?#:", c) }

// withoutLogin is the list, fit to be shown. What stands where a host should stand and cannot be one
// may be a password, or the end of a query with an `@`: from there on nothing is shown.
func withoutLogin(urls string) string {
	var shown []string
	for _, item := range items(urls) {
		scheme, info, at := parts(item)
		if strings.ContainsAny(info, "?#") || !host.MatchString(at) {
			shown = append(shown, "…")
			break
		}
		// What stands behind it may be a secret too, as a gateway's.
		if query := strings.IndexAny(at, "?#"); query >= 0 {
			at = at[:query] + "?…"
		}
		shown = append(shown, scheme+at)
	}
	return strings.Join(shown, ",")
}

// items are the URLs of a list. A comma that should have been encoded cuts a login in two: an `@`
// without a scheme takes what stands before it, up to a scheme or the end of another login
// without one. It cuts a query in two as well: what has no scheme and follows one belongs to it.
func items(urls string) []string {
	var found []string
	for _, item := range strings.Split(urls, ",") {
		if item = strings.Trim(item, blanks); item == "" {
			continue
		}
		if last := len(found) - 1; last >= 0 && strings.ContainsAny(found[last], "?#") && !scheme.MatchString(item) {
			found, item = found[:last], found[last]+","+item
		}
		for strings.Contains(item, "@") && !scheme.MatchString(item) {
			last := len(found) - 1
			if last < 0 || strings.Contains(found[last], "@") && !scheme.MatchString(found[last]) {
				break
			}
			found, item = found[:last], found[last]+","+item
		}
		found = append(found, item)
	}
	return found
}

// parts are the scheme, the login as it is written, and the host. A password may have an `@` that is
// not encoded: the last one counts.
func parts(item string) (string, string, string) {
	start := scheme.FindString(item)
	rest := item[len(start):]
	at := strings.LastIndex(rest, "@")
	return strings.ToLower(start), rest[:max(at, 0)], rest[at+1:]
}

func decoded(info string) (*url.Userinfo, error) {
	if info == "" || info == ":" {
		return nil, nil
	}
	user, password, both := strings.Cut(info, ":")
	for _, text := range []*string{&user, &password} {
		*text = percent.ReplaceAllStringFunc(*text, func(found string) string {
			if plain, err := url.PathUnescape(found); err == nil {
				return plain
			}
			return found
		})
		if !utf8.ValidString(*text) {
			return nil, errNotUTF8
		}
	}
	if !both {
		return url.User(user), nil
	}
	return url.UserPassword(user, password), nil
}
