package driver

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// All languages read the same rows.
func TestALoginIsNotShown(t *testing.T) {
	text, err := os.ReadFile("../../../../tests/vectors/logins.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Rows []struct{ URL, Shown string }
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, row := range vectors.Rows {
		if shown := withoutLogin(row.URL); shown != row.Shown {
			t.Errorf("%s: shown as %q, not %q", row.URL, shown, row.Shown)
		}
	}
}

func TestWhatCannotBeReadOfAUrlIsNotShownEither(t *testing.T) {
	text, _ := json.Marshal("nats://u:p@127.0.0.1:1,nats://a:sec ret@127.0.0.1:1")
	_, err := connect(fields{"url": text})
	if err == nil || strings.Contains(err.Error(), "sec ret") {
		t.Error(err)
	}
}
