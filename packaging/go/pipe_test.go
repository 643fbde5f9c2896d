package monodemo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProgramThatDoesNotSayWhoItIsIsTold(t *testing.T) {
	other := filepath.Join(t.TempDir(), "mono-demo")
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho busy >&2\nsleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MONO_DEMO_BIN", other)
	_, err := startPipe(300 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "hello: `"+other+" control` did not say who it is within 300ms") {
		t.Error(err)
	}
}
