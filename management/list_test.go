package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// names asks for a list and returns the names in it, with a space between.
func names(t *testing.T, s *Server, path string) string {
	t.Helper()
	w := ask(s, http.MethodGet, path)
	if w.Code != http.StatusOK {
		return w.Body.String()
	}
	type named struct {
		Name string `json:"name"`
	}
	var list []named
	if w.Body.Bytes()[0] == '{' {
		var page struct{ Items []named }
		check(t, json.Unmarshal(w.Body.Bytes(), &page))
		list = page.Items
	} else {
		check(t, json.Unmarshal(w.Body.Bytes(), &list))
	}
	var all []string
	for _, n := range list {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func TestListsAreSortedAndPaged(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	for i, name := range []string{"b", "C", "a", "ä", "B2"} {
		declare(t, a, name)
		publish(t, a, name, i)
	}
	declare(t, session(t, s, "other"), "a")
	const all = "B2 C a b ä a"
	for path, want := range map[string]string{
		"/api/queues":                            all,
		"/api/queues/%2F":                        "B2 C a b ä",
		"/api/queues?sort_reverse=true":          "a ä b a C B2",
		"/api/queues?sort_reverse=1":             all,
		"/api/queues?sort=name":                  "B2 C a a b ä",
		"/api/queues?sort=messages":              "b a C a ä B2",
		"/api/queues?sort=messages_details.rate": all,
		// Where there is no such field it counts as 0.
		"/api/queues?sort=message_stats.publish":     "b a C a ä B2",
		"/api/queues?sort=message_stats":             "b a B2 C a ä",
		"/api/queues?sort=nothing":                   all,
		"/api/queues?sort=name.nothing":              all,
		"/api/queues?sort=":                          all,
		"/api/queues?sort=durable&sort_reverse=true": "a ä b a C B2",
		"/api/queues?page_size=2":                    all,
		"/api/queues?name=a":                         all,

		"/api/queues?page=1&page_size=2":                                    "B2 C",
		"/api/queues?page=2&page_size=2":                                    "a b",
		"/api/queues?page=3&page_size=2":                                    "ä a",
		"/api/queues?page=4&page_size=2":                                    "",
		"/api/queues?page=1&page_size=4&sort=name&sort_reverse=true":        "ä b a a",
		"/api/queues?page=1&name=b":                                         "B2 b",
		"/api/queues?page=1&name=%C3%84":                                    "ä",
		"/api/queues?page=1&name=%5B":                                       "",
		"/api/queues?page=1&use_regex=true&name=%5E%5Bac%5D%24":             "C a a",
		"/api/queues?page=2&page_size=1&use_regex=true&name=%5E%5Bac%5D%24": "a",
		"/api/queues?page=1&use_regex=yes&name=%5E":                         "",

		"/api/queues?page=5&page_size=2": `{"error":"page_out_of_range","reason":"Page out of range, page: 5 page size: 2, len: 6"}`,
		"/api/queues?page=4611686018427387905&page_size=2": `{"error":"invalid_pagination_parameters",` +
			`"reason":"Invalid pagination parameters: page number 4611686018427387905, page size 2"}`,
		"/api/queues?page=99999999999999999999":      `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
		"/api/queues?page=1&use_regex=true&name=%28": `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
	} {
		if got := names(t, s, path); got != want {
			t.Errorf("GET %s\n got %s\nwant %s", path, got, want)
		}
	}
}

func TestColumnsKeepOnlyWhatIsAskedFor(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	declare(t, a, "q")
	for columns, want := range map[string]string{
		"name":                                   `{"name":"q"}`,
		"name,vhost":                             `{"name":"q","vhost":"/"}`,
		"nothing":                                `{}`,
		"":                                       `{}`,
		"name,,nothing.at.all":                   `{"name":"q"}`,
		"messages_details.rate":                  `{"messages_details":{"rate":0}}`,
		"messages_details.nothing":               `{"messages_details":{}}`,
		"messages_details":                       `{"messages_details":{"rate":0}}`,
		"messages_details.rate,name":             `{"messages_details":{"rate":0},"name":"q"}`,
		"name.first":                             `{"name":"q"}`,
		"messages_details.rate,messages_details": `{"messages_details":{"rate":0}}`,
		"messages_details,messages_details.none": `{"messages_details":{"rate":0}}`,
		"message_stats.publish":                  `{}`, // there is none yet
		"policy":                                 `{"policy":null}`,
		"arguments":                              `{"arguments":{}}`,
	} {
		for path, want := range map[string]string{"/api/queues": "[" + want + "]", "/api/queues/%2F/q": want} {
			if w := ask(s, http.MethodGet, path+"?columns="+columns); w.Body.String() != want {
				t.Errorf("GET %s?columns=%s\n got %s\nwant %s", path, columns, w.Body, want)
			}
		}
	}
}

// TestEveryFieldCanBeAColumn asks for each field of an object alone and gets what stands in the whole object.
func TestEveryFieldCanBeAColumn(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	declare(t, a, "q")
	publish(t, a, "q", 3)
	for _, path := range []string{"/api/overview", "/api/queues/%2F/q", "/api/vhosts/%2F", "/api/exchanges/%2F/amq.default", "/api/nodes/rabbit@test"} {
		whole := get[map[string]json.RawMessage](t, s, path)
		for name := range whole {
			part := get[map[string]json.RawMessage](t, s, path+"?columns="+name)
			if len(part) != 1 || len(part[name]) == 0 {
				t.Errorf("GET %s?columns=%s: %s", path, name, part)
			}
		}
	}
}

func TestALongListIsSentInOrder(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	var want []string
	for i := range 3000 { // more than any buffer holds
		name := fmt.Sprintf("queue %04d", i)
		declare(t, a, name)
		want = append(want, name)
	}
	if got := names(t, s, "/api/queues"); got != strings.Join(want, " ") {
		t.Error("the list is not what was declared")
	}
}
