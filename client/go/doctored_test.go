// A vector file in which somebody changed a row turns this suite red.

package client

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The test that is red where a file is doctored.
var red = map[string]string{
	"bad-input.json":     "TestEveryVectorOfBadInputGetsItsVerdict",
	"currencies.json":    "TestTheTableOfCurrenciesIsTheSharedOne",
	"error-kinds.json":   "TestAReplyIsWhatItsRowSaysAndADoctoredRowIsTold",
	"wait.json":          "TestAWaitRidesOutWhatItsRowSaysAndADoctoredRowIsTold",
	"original.json":      "TestAReplyOfTheOriginalServerIsWhatItsRowSaysAndADoctoredRowIsTold",
	"unreadable.json":    "TestNoMessageOfASubscriptionCostsTheNextOne",
	"timeouts.json":      "TestATimeoutGetsTheVerdictOfItsRow",
	"drivers.json":       "TestTheDriverEndsAndAnswersAsItsRowSays",
	"permissions.json":   "TestTheWordsOfAServerNameTheSubjectOfTheirRow",
	"subscriptions.json": "TestASubscriptionGetsTheVerdictOfItsRow",
	"logins.json":        "TestEachServerIsShownTheLoginOfItsOwnUrl",
}

func TestEachDoctoredFileIsTold(t *testing.T) {
	root := t.TempDir()
	module := filepath.Join(root, "client", "go")
	for from, to := range map[string]string{".": module, "../../tests/vectors": filepath.Join(root, "tests", "vectors")} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	var file struct {
		Changes []struct {
			File  string
			At    []any
			Value any
		}
	}
	shared(t, "doctored.json", &file)
	if len(file.Changes) != len(red) {
		t.Fatalf("%d changes", len(file.Changes))
	}
	for _, change := range file.Changes {
		path := filepath.Join(root, "tests", "vectors", change.File)
		var all any
		shared(t, change.File, &all)
		doctor(t, all, change.At, change.Value)
		text, err := json.Marshal(all)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "test", "-count=1", "-skip", t.Name(), "./...")
	command.Dir = module
	said, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("it is green: %s", said)
	}
	lines := strings.Split(string(said), "\n")
	for file, name := range red {
		failed := func(line string) bool { return strings.HasPrefix(line, "--- FAIL: "+name+" ") }
		if !slices.ContainsFunc(lines, failed) {
			t.Errorf("%s: %s is not red: %s", file, name, said)
		}
	}
}

// doctor puts the value at the end of the way.
func doctor(t *testing.T, inside any, way []any, value any) {
	t.Helper()
	switch inside := inside.(type) {
	case map[string]any:
		if name := way[0].(string); len(way) == 1 {
			inside[name] = value
		} else {
			doctor(t, inside[name], way[1:], value)
		}
	case []any:
		if n := int(way[0].(float64)); len(way) == 1 {
			inside[n] = value
		} else {
			doctor(t, inside[n], way[1:], value)
		}
	default:
		t.Fatalf("%v is nowhere", way)
	}
}
