// The clients read the replies of the original server, which differ from ours in places.

package client

import (
	"encoding/json"
	"testing"
)

func TestAnErrorWinsOverTheResultBesideIt(t *testing.T) {
	for body, want := range map[string]string{
		`{"result":0,"operation":"divide","error":"division by zero"}`: `{"operation":"divide","error":"division by zero"}`,
		`{"result":0,"operation":"divide","error":""}`:                 `{"operation":"divide","result":0}`,
		`{"result":0,"operation":"divide","error":null}`:               `{"operation":"divide","result":0}`,
	} {
		var reply MathReply
		if err := decode([]byte(body), &reply); err != nil {
			t.Fatal(err)
		}
		if err := reply.settle(); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if seen, _ := json.Marshal(reply); string(seen) != want {
			t.Errorf("%s: %s", body, seen)
		}
	}
	if err := (&MathReply{Operation: "divide"}).settle(); err == nil {
		t.Error("neither a result nor an error, and that was fine")
	}
}
