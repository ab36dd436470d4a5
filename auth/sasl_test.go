package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
)

func TestResponse(t *testing.T) {
	amqplain := func(pairs ...any) string {
		var table amqp.Table
		for i := 0; i < len(pairs); i += 2 {
			table = append(table, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
		}
		return string(amqp.AppendTableBody(nil, table))
	}
	for _, c := range []struct {
		mechanism, response string
		user, password      string
		ok                  bool
	}{
		{"PLAIN", "\x00guest\x00secret", "guest", "secret", true},
		{"PLAIN", "\x00\x00", "", "", true}, // well-formed; refused as a login
		{"PLAIN", "admin\x00guest\x00secret", "", "", false},
		{"PLAIN", "\x00guest", "", "", false},
		{"PLAIN", "\x00guest\x00secret\x00", "", "", false},
		{"PLAIN", "", "", "", false},
		{"AMQPLAIN", amqplain("LOGIN", "guest", "PASSWORD", "secret"), "guest", "secret", true},
		{"AMQPLAIN", amqplain("PASSWORD", "secret", "x", true, "LOGIN", "guest"), "guest", "secret", true},
		{"AMQPLAIN", amqplain("LOGIN", amqp.Binary("guest"), "PASSWORD", amqp.Binary("secret")), "guest", "secret", true},
		{"AMQPLAIN", amqplain("LOGIN", "guest"), "", "", false},
		{"AMQPLAIN", amqplain("PASSWORD", "secret"), "", "", false},
		{"AMQPLAIN", amqplain("LOGIN", "guest", "PASSWORD", int32(1)), "guest", "", true}, // refused as a login
		{"AMQPLAIN", "", "", "", false},
		{"AMQPLAIN", "\x05LOGINS\x00\x00", "", "", false},
		{"plain", "\x00guest\x00secret", "", "", false},
		{"EXTERNAL", "", "", "", false},
	} {
		user, password, err := auth.Response(c.mechanism, []byte(c.response))
		if (err == nil) != c.ok || c.ok && (user != c.user || password != c.password) {
			t.Errorf("%s %q: %q %q %v", c.mechanism, c.response, user, password, err)
		}
	}
	if _, _, err := auth.Response("EXTERNAL", nil); !errors.Is(err, auth.ErrUnknownMechanism) {
		t.Error(err)
	}
}

func TestMechanismsAreOffered(t *testing.T) {
	var offered []string
	for _, m := range auth.Mechanisms() {
		offered = append(offered, m.Name)
	}
	if got := strings.Join(offered, " "); got != "AMQPLAIN PLAIN" {
		t.Error(got)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add("PLAIN", []byte("\x00guest\x00guest"))
	f.Add("AMQPLAIN", amqp.AppendTableBody(nil, amqp.Table{{Name: "LOGIN", Value: "a"}, {Name: "PASSWORD", Value: "b"}}))
	f.Fuzz(func(t *testing.T, mechanism string, response []byte) {
		user, password, err := auth.Response(mechanism, response)
		if err != nil && user+password != "" {
			t.Errorf("%q %q with %v", user, password, err)
		}
		if len(user)+len(password) > len(response) {
			t.Errorf("%q %q out of %d bytes", user, password, len(response))
		}
	})
}
