package compat

import (
	"os"
	"testing"
)

// warren returns the address of the Warren under test: WARREN_ADDR.
func warren(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("WARREN_ADDR")
	if addr == "" {
		t.Skip("WARREN_ADDR is not set")
	}
	return addr
}
