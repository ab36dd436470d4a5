package compat

import (
	"os"
	"testing"

	"github.com/warren-mq/warren/amqptest"
)

// warren returns the address of the Warren under test: WARREN_ADDR, or else a
// broker in this process that ends with the test.
func warren(t *testing.T) string {
	t.Helper()
	if addr := os.Getenv("WARREN_ADDR"); addr != "" {
		return addr
	}
	return amqptest.NewServer(t).Addr
}
