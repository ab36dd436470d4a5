package queue_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a goroutine is left: a queue has none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
