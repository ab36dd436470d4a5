package auth_test

import (
	"errors"
	"net"
	"testing"

	"github.com/warren-mq/warren/auth"
)

func TestLoginIsRefused(t *testing.T) {
	u := seeded(t)
	if err := u.Put(auth.User{Name: "locked"}); err != nil {
		t.Fatal(err)
	}
	if err := u.SetPassword("blank", "", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, password string }{
		{"guest", "wrong"}, {"guest", ""}, {"nobody", "guest"}, {"nobody", ""}, {"", ""}, {"Guest", "guest"},
		{"locked", "x"}, {"locked", ""}, {"blank", ""}, {"blank", "x"},
	} {
		user, err := u.Authenticate(c.user, c.password, local)
		e, ok := errors.AsType[*auth.LoginError](err)
		if !ok || user != nil {
			t.Errorf("%q %q: %v, %v", c.user, c.password, user, err)
			continue
		}
		if want := "user '" + c.user + "' - invalid credentials"; e.Reason != want || e.User != c.user || e.LoopbackOnly {
			t.Errorf("%q %q: %+v, want reason %q", c.user, c.password, e, want)
		}
	}
}

func TestRefusalTellsTheMechanismOnly(t *testing.T) {
	const want = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
	if got := auth.Refusal("PLAIN").ReplyText(); got != want {
		t.Error(got)
	}
}

func TestLoopbackUsersComeFromThisMachine(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()

	u := seeded(t)
	if err := u.SetPassword("free", "free", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from    net.Addr
		allowed bool
	}{
		{tcp("127.0.0.1"), true}, {tcp("127.255.1.2"), true}, {tcp("::1"), true}, {tcp("::ffff:127.0.0.1"), true},
		{&net.UnixAddr{Name: "@x", Net: "unix"}, true}, {near.RemoteAddr(), true},
		{tcp("10.0.0.1"), false}, {tcp("128.0.0.1"), false}, {tcp("::2"), false}, {tcp("::ffff:10.0.0.1"), false},
		{tcp("0.0.0.0"), false}, {&net.TCPAddr{}, false}, {&net.UDPAddr{IP: net.IPv6loopback}, false}, {nil, false},
	} {
		_, err := u.Authenticate("guest", "guest", c.from)
		if (err == nil) != c.allowed {
			t.Errorf("guest from %v: %v", c.from, err)
		}
		if e, ok := errors.AsType[*auth.LoginError](err); ok &&
			(!e.LoopbackOnly || e.Reason != "user 'guest' can only connect via localhost") {
			t.Errorf("guest from %v: %+v", c.from, e)
		}
		if _, err := u.Authenticate("free", "free", c.from); err != nil {
			t.Errorf("free from %v: %v", c.from, err)
		}
	}
	// Whether a name is restricted must not be told to who does not know the password.
	_, err := u.Authenticate("guest", "wrong", tcp("10.0.0.1"))
	if e, ok := errors.AsType[*auth.LoginError](err); !ok || e.LoopbackOnly {
		t.Errorf("%v", err)
	}
	open := auth.New()
	if err := open.Seed(auth.DefaultUser()); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Authenticate("guest", "guest", tcp("10.0.0.1")); err != nil {
		t.Errorf("without loopback users: %v", err)
	}
}
