package auth_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/auth"
)

func TestCacheForgetsWhenAnythingChanges(t *testing.T) {
	u := seeded(t)
	c := auth.NewCache(u, "guest", "/")
	for i := range 100 { // more than it remembers
		name := fmt.Sprint("q", i%20)
		if !c.Check("queue", name, auth.Read) || !c.Check("exchange", "", auth.Write) {
			t.Fatal("refused")
		}
	}
	if err := u.SetPermissions("guest", "/", auth.Permission{Read: "^q1$"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if c.Check("queue", "q19", auth.Read) || c.Check("exchange", "", auth.Write) {
			t.Error("what was revoked is still permitted")
		}
		if !c.Check("queue", "q1", auth.Read) || c.Check("exchange", "q1", auth.Write) || c.Check("queue", "q1", auth.Write) {
			t.Error("answers are mixed up")
		}
	}
	if allocs := testing.AllocsPerRun(100, func() { c.Check("queue", "q1", auth.Read) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
