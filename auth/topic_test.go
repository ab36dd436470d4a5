package auth_test

import (
	"reflect"
	"testing"

	"github.com/warren-mq/warren/auth"
)

func TestTopicPermissions(t *testing.T) {
	u := seeded(t)
	check := func(vhost, exchange, key string, o auth.Operation) bool {
		return u.CheckTopic("guest", vhost, exchange, key, o)
	}
	if !check("/", "x", "any", auth.Write) {
		t.Error("refused without a row")
	}
	err := u.SetTopicPermissions("guest", "/", "x", auth.TopicPermission{Write: "^{username}.{vhost}", Read: `\.r$`})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		vhost, exchange, key string
		o                    auth.Operation
		ok                   bool
	}{
		{"/", "x", "guest./.a", auth.Write, true},
		{"/", "x", "other./.a", auth.Write, false},
		{"/", "x", "a.r", auth.Read, true},
		{"/", "x", "guest./.a", auth.Read, false},
		{"/", "y", "other", auth.Write, true},
		{"v", "x", "other", auth.Write, true},
	} {
		if got := check(c.vhost, c.exchange, c.key, c.o); got != c.ok {
			t.Errorf("%+v: %v", c, got)
		}
	}
	rows := u.TopicPermissions()
	want := []auth.TopicPermissionRow{{User: "guest", VHost: "/", Exchange: "x",
		TopicPermission: auth.TopicPermission{Write: "^{username}.{vhost}", Read: `\.r$`}}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("rows %+v", rows)
	}
	if !u.ClearTopicPermissions("guest", "/", "x") || u.ClearTopicPermissions("guest", "/", "x") || !check("/", "x", "other", auth.Write) {
		t.Error("the row is not cleared once")
	}
}
