package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/warren-mq/warren/auth"
)

func TestDefaultUserMayDoEverything(t *testing.T) {
	u := seeded(t)
	user, err := u.Authenticate("guest", "guest", local)
	if err != nil {
		t.Fatal(err)
	}
	if user.Name != "guest" || !user.HasTag(auth.Administrator) || user.HasTag(auth.Management) {
		t.Errorf("%+v", user)
	}
	if !u.Enter("guest", "/") || u.Enter("guest", "other") {
		t.Error("vhosts are wrong")
	}
	for _, o := range []auth.Operation{auth.Configure, auth.Write, auth.Read} {
		if !u.Check("guest", "/", "queue", "anything at all", o) || !u.Check("guest", "/", "exchange", "", o) {
			t.Errorf("%v is refused", o)
		}
	}
}

func TestListingsAreSorted(t *testing.T) {
	u := auth.New()
	for _, name := range []string{"b", "a", "c"} {
		if err := u.Put(auth.User{Name: name}); err != nil {
			t.Fatal(err)
		}
		for _, vhost := range []string{"2", "1"} {
			if err := u.SetPermissions(name, vhost, auth.Permission{Read: name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var list []string
	for _, user := range u.All() {
		list = append(list, user.Name)
	}
	for _, row := range u.Permissions() {
		list = append(list, row.User+row.VHost+row.Read)
	}
	if got := strings.Join(list, " "); got != "a b c a1a a2a b1b b2b c1c c2c" {
		t.Error(got)
	}
}

func TestDeleteTakesPermissionsAlong(t *testing.T) {
	u := seeded(t)
	if err := u.SetTopicPermissions("guest", "/", "x", auth.TopicPermission{}); err != nil {
		t.Fatal(err)
	}
	if !u.Delete("guest") || u.Delete("guest") || u.Lookup("guest") != nil {
		t.Error("not deleted once")
	}
	if err := u.Seed(auth.Default{Name: "guest", Password: "p", VHost: "other"}); err != nil {
		t.Fatal(err)
	}
	if u.Enter("guest", "/") || len(u.TopicPermissions()) != 0 {
		t.Error("permissions came back with the name")
	}
	if err := u.SetTopicPermissions("guest", "other", "x", auth.TopicPermission{}); err != nil {
		t.Fatal(err)
	}
	u.DeleteVHost("other")
	if u.Enter("guest", "other") || len(u.TopicPermissions()) != 0 {
		t.Error("permissions outlive their vhost")
	}
}

func TestUsersFromManyGoroutines(t *testing.T) {
	u := seeded(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprint("user", i)
			c := auth.NewCache(u, name, "/")
			for range 100 {
				if err := u.Seed(auth.Default{Name: name, Password: name, VHost: "/", Permission: auth.Permission{Read: "^r$"}}); err != nil {
					t.Error(err)
				}
				if _, err := u.Authenticate(name, name, local); err != nil {
					t.Error(err)
				}
				if !c.Check("queue", "r", auth.Read) || c.Check("queue", "r", auth.Write) {
					t.Error("own permissions are not seen")
				}
				_, _ = u.All(), u.Permissions()
				u.Delete(name)
				if c.Check("queue", "r", auth.Read) {
					t.Error("permitted after deletion")
				}
			}
		})
	}
	wg.Wait()
}
