// What encoding/json lets through, and the clients in other languages do not.

package client

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Clients of all languages read as many levels.
const maxLevels = 127

// An escape: encoding/json reads half of a surrogate pair as U+FFFD.
var escape = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})(?:\\u([0-9a-fA-F]{4}))?|[^u])`)

// unreadable says what is wrong with a body, or nothing.
func unreadable(data []byte) string {
	if !utf8.Valid(data) {
		return "is not valid Unicode"
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return "is not JSON: " + err.Error()
	}
	if HasLoneSurrogate(data) {
		return "is not valid Unicode"
	}
	if levels(value, 0) > maxLevels {
		return "has over " + strconv.Itoa(maxLevels) + " levels"
	}
	return ""
}

// HasLoneSurrogate is true for JSON with half of a surrogate pair in it, which encoding/json reads as
// U+FFFD: another text than was meant.
func HasLoneSurrogate(data []byte) bool {
	for len(data) > 0 {
		at := escape.FindSubmatchIndex(data)
		if at == nil {
			return false
		}
		if at[2] < 0 {
			data = data[at[1]:]
			continue
		}
		first := codeUnit(data[at[2]:at[3]])
		if !utf16.IsSurrogate(first) {
			data = data[at[3]:]
			continue
		}
		if at[4] < 0 || utf16.DecodeRune(first, codeUnit(data[at[4]:at[5]])) == utf8.RuneError {
			return true
		}
		data = data[at[1]:]
	}
	return false
}

func codeUnit(hex []byte) rune {
	unit, _ := strconv.ParseUint(string(hex), 16, 16)
	return rune(unit)
}

// levels is how deep a value nests; it stops looking past the limit.
func levels(value any, above int) int {
	deepest := above
	if above > maxLevels {
		return above
	}
	switch value := value.(type) {
	case map[string]any:
		deepest = above + 1
		for _, item := range value {
			deepest = max(deepest, levels(item, above+1))
		}
	case []any:
		deepest = above + 1
		for _, item := range value {
			deepest = max(deepest, levels(item, above+1))
		}
	}
	return deepest
}

// unmarshal reads an object into a struct by the exact names of its fields; encoding/json by itself
// takes `ERROR` for `error` too.
func unmarshal(data []byte, into any) error {
	kind := reflect.TypeOf(into).Elem()
	if kind.Kind() != reflect.Struct {
		return json.Unmarshal(data, into)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	known := make(map[string]json.RawMessage)
	for n := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(n).Tag.Get("json"), ",")
		if value, there := members[name]; there {
			known[name] = value
		}
	}
	exact, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return json.Unmarshal(exact, into)
}
