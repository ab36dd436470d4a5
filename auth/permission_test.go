package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
)

func TestPermissionsAreSearchedUnanchored(t *testing.T) {
	u := seeded(t)
	for _, c := range []struct {
		pattern, name string
		ok            bool
	}{
		{".*", "x", true}, {".*", "", true}, {".*", "a\nb", true},
		{"", "x", false}, {"", "", true}, {"^$", "x", false},
		{"a", "bar", true}, {"a", "foo", false}, {"^a", "bar", false}, {"^bar$", "bar", true}, {"^ba$", "bar", false},
		{"A", "bar", false}, {"(?i)A", "bar", true},
		{`^(?!amq\.).*`, "orders", true}, {`^(?!amq\.).*`, "amq.topic", false}, {`^(?!amq\.).*`, "", true},
		{`^(a+)\1$`, "aaaa", true}, {`^(a+)\1$`, "aaa", false},
		{`^(?:jobs|mail)\.`, "mail.out", true}, {`^(?:jobs|mail)\.`, "mailout", false},
		{"ü", "grün", true},
	} {
		if err := u.SetPermissions("guest", "/", auth.Permission{Read: c.pattern}); err != nil {
			t.Fatal(err)
		}
		if got := u.Check("guest", "/", "queue", c.name, auth.Read); got != c.ok {
			t.Errorf("pattern %q, name %q: %v, want %v", c.pattern, c.name, got, c.ok)
		}
		if u.Check("guest", "/", "queue", "x", auth.Write) || u.Check("guest", "/", "queue", "x", auth.Configure) {
			t.Errorf("an empty pattern permits")
		}
	}
}

func TestOperationsAndVHostsAreApart(t *testing.T) {
	u := seeded(t)
	if err := u.SetPermissions("guest", "v", auth.Permission{Configure: "c", Write: "w", Read: "r"}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]auth.Operation{"c": auth.Configure, "w": auth.Write, "r": auth.Read} {
		for _, other := range []auth.Operation{auth.Configure, auth.Write, auth.Read} {
			if got := u.Check("guest", "v", "queue", name, other); got != (other == o) {
				t.Errorf("%s: %v is %v", name, other, got)
			}
		}
	}
	if u.Check("guest", "w", "queue", "r", auth.Read) || u.Check("nobody", "v", "queue", "r", auth.Read) {
		t.Error("permitted without a row")
	}
	if !u.ClearPermissions("guest", "v") || u.ClearPermissions("guest", "v") || u.Enter("guest", "v") {
		t.Error("the row is not cleared once")
	}
}

func TestDefaultExchangeIsCheckedAsAmqDefault(t *testing.T) {
	u := seeded(t)
	if err := u.SetPermissions("guest", "/", auth.Permission{Write: `^amq\.default$`}); err != nil {
		t.Fatal(err)
	}
	if !u.Check("guest", "/", "exchange", "", auth.Write) || u.Check("guest", "/", "queue", "", auth.Write) {
		t.Error("only the empty name of an exchange is amq.default")
	}
}

func TestBadPatternsAndUsersAreRefused(t *testing.T) {
	u := seeded(t)
	generation := u.Generation()
	err := u.SetPermissions("guest", "/", auth.Permission{Write: "(", Read: ".*"})
	if e, ok := errors.AsType[*auth.PatternError](err); !ok || e.Pattern != "(" {
		t.Errorf("%v", err)
	}
	if err := u.SetPermissions("nobody", "/", auth.Permission{}); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("%v", err)
	}
	if err := u.SetTopicPermissions("nobody", "/", "x", auth.TopicPermission{}); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("%v", err)
	}
	if err := u.Put(auth.User{}); err == nil {
		t.Error("a user without a name is accepted")
	}
	if err := u.Put(auth.User{Name: "x", Algorithm: "crc32"}); err == nil {
		t.Error("an unknown algorithm is accepted")
	}
	if u.Generation() != generation || !u.Check("guest", "/", "queue", "x", auth.Write) {
		t.Error("a refused change has changed something")
	}
}

// A pattern that backtracks without end is cut off and refuses.
func TestBacktrackingIsBounded(t *testing.T) {
	u := seeded(t)
	if err := u.SetPermissions("guest", "/", auth.Permission{Read: `^(?=x)(x+x+)+y`}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if u.Check("guest", "/", "queue", strings.Repeat("x", 255), auth.Read) {
		t.Error("permitted")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestRefusedTexts(t *testing.T) {
	for _, c := range []struct {
		err  *amqp.Error
		want string
	}{
		{auth.Refused("queue", "q", "/", "u"), "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"},
		{auth.Refused("exchange", "", "v", "u"), "ACCESS_REFUSED - access to exchange 'amq.default' in vhost 'v' refused for user 'u'"},
		{auth.RefusedTopic("a.b", "x", "/", "u"), "ACCESS_REFUSED - access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'"},
		{auth.RefusedVHost("v", "u"), "NOT_ALLOWED - access to vhost 'v' refused for user 'u'"},
	} {
		if got := c.err.ReplyText(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	u := seeded(b)
	if err := u.SetPermissions("guest", "/", auth.Permission{Write: `^(?!amq\.).*`, Read: "^orders"}); err != nil {
		b.Fatal(err)
	}
	b.Run("linear", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			u.Check("guest", "/", "queue", "orders.new", auth.Read)
		}
	})
	b.Run("backtracking", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			u.Check("guest", "/", "queue", "orders.new", auth.Write)
		}
	})
	b.Run("cached", func(b *testing.B) {
		c := auth.NewCache(u, "guest", "/")
		b.ReportAllocs()
		for b.Loop() {
			c.Check("queue", "orders.new", auth.Write)
		}
	})
}
