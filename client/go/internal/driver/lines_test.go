// What the driver makes of its input: all languages read the same rows.

package driver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTheDriverEndsAndAnswersAsItsRowSays(t *testing.T) {
	data, err := os.ReadFile("../../../../tests/vectors/drivers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rows []struct {
			Name, Input string
			Exit        int
			Replies     []string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Rows) < 25 {
		t.Fatalf("%d rows, %v", len(file.Rows), err)
	}
	for _, row := range file.Rows {
		var out bytes.Buffer
		status := New(&out).Run(strings.NewReader(row.Input))
		told := []string{}
		for line := range strings.Lines(out.String()) {
			var reply struct {
				ID   uint64
				Err  *struct{ Kind string }
				Skip *string
			}
			if err := json.Unmarshal([]byte(line), &reply); err != nil {
				t.Fatalf("%s: %s: %v", row.Name, line, err)
			}
			outcome := "ok"
			if reply.Err != nil {
				outcome = reply.Err.Kind
			} else if reply.Skip != nil {
				outcome = "skip"
			}
			told = append(told, fmt.Sprint(reply.ID, " ", outcome))
		}
		slices.Sort(told)
		slices.Sort(row.Replies)
		if status != row.Exit || !slices.Equal(told, row.Replies) {
			t.Errorf("%s: %d, %v", row.Name, status, told)
		}
	}
}
