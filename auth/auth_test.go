package auth_test

import (
	"net"
	"testing"

	"github.com/dlclark/regexp2/v2"
	"go.uber.org/goleak"

	"github.com/warren-mq/warren/auth"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) {
		// The clock of the match timeout stops by itself a while after the last match.
		regexp2.StopTimeoutClock()
	}))
}

var local = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}

// seeded returns users as a new broker has them.
func seeded(t testing.TB) *auth.Users {
	t.Helper()
	u := auth.New("guest")
	if err := u.Seed(auth.DefaultUser()); err != nil {
		t.Fatal(err)
	}
	return u
}
