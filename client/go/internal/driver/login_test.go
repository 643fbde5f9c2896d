package driver

import (
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
)

// All languages read the same rows.
func TestEachServerIsShownTheLoginOfItsOwnUrl(t *testing.T) {
	text, err := os.ReadFile("../../../../tests/vectors/logins.json")
	if err != nil {
		t.Fatal(err)
	}
	type server struct {
		URL                   string
		User, Password, Token *string
	}
	var vectors struct {
		Rows []struct {
			URL, Shown string
			Servers    []server
			Refused    bool
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, row := range vectors.Rows {
		if shown := withoutLogin(row.URL); shown != row.Shown {
			t.Errorf("%s: shown as %q, not %q", row.URL, shown, row.Shown)
		}
		found, err := servers(row.URL)
		if (err != nil) != row.Refused {
			t.Errorf("%s: %v", row.URL, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "more")) {
			t.Errorf("%s: its error shows a secret: %v", row.URL, err)
		}
		if len(found) != len(row.Servers) {
			t.Fatalf("%s: %d servers", row.URL, len(found))
		}
		for n, expected := range row.Servers {
			// As nats.go reads it: a user without a password is a token.
			read, err := url.Parse(found[n].url.String())
			if err != nil {
				t.Fatal(err)
			}
			var login *url.Userinfo
			switch {
			case expected.Token != nil:
				login = url.User(*expected.Token)
			case expected.User != nil:
				login = url.UserPassword(*expected.User, *expected.Password)
			}
			if !reflect.DeepEqual(read.User, login) || found[n].shown != expected.URL {
				t.Errorf("%s: %v at %s", row.URL, read.User, found[n].shown)
			}
		}
	}
}

func TestWhatCannotBeReadOfAUrlIsNotShownEither(t *testing.T) {
	for _, list := range []string{"nats://u:p@127.0.0.1:1,nats://a:sec ret@[::x]:1", "nats://u:sec,ret@127.0.0.1:1"} {
		text, _ := json.Marshal(list)
		_, err := new(session).connect(fields{"url": text})
		if err == nil || strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "ret") {
			t.Error(err)
		}
	}
}
