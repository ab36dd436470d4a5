package management

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// query is what all GETs understand (RabbitMQ 3.10.8 behaviour, texts included).
type query struct {
	columns     columns
	sort        []string // a path of field names; nil for the order of the resource
	sortReverse bool
	values      url.Values
}

// page is the part of a list that is asked for.
type page struct {
	number, size int
	name         func(string) bool // keeps the objects whose name it likes; nil for all
}

const (
	defaultPageSize = 100
	maxPageSize     = 500
)

func parseQuery(u *url.URL) query {
	values := u.Query() // leaves out what is not well-formed
	q := query{columns: parseColumns(values), sortReverse: values.Get("sort_reverse") == "true", values: values}
	if sort := values.Get("sort"); sort != "" {
		q.sort = strings.Split(sort, ".")
	}
	return q
}

// page returns the page that is wanted, nil for all: page_size and name alone change nothing.
func (q *query) page() (*page, error) {
	values := q.values
	if !values.Has("page") {
		return nil, nil
	}
	p := &page{size: defaultPageSize}
	var err error
	if p.number, err = strconv.Atoi(values.Get("page")); err != nil {
		return nil, errPage
	}
	size := "undefined"
	if values.Has("page_size") {
		if p.size, err = strconv.Atoi(values.Get("page_size")); err != nil {
			return nil, errPage
		}
		size = strconv.Itoa(p.size)
	}
	if p.number < 1 || p.size < 1 || p.size > maxPageSize {
		return nil, &fault{
			status: http.StatusBadRequest, Name: "invalid_pagination_parameters",
			Reason: fmt.Sprintf("Invalid pagination parameters: page number %d, page size %s", p.number, size),
		}
	}
	p.name, err = nameFilter(values.Get("name"), values.Get("use_regex") == "true")
	return p, err
}

var errPage = &fault{status: http.StatusBadRequest, Name: "bad_request", Reason: "Pagination parameters are invalid"}

// nameFilter makes the test for name= and use_regex=. Case never matters. The expressions are RE2, whose effort grows
// with the length of the name only; RabbitMQ's PCRE knows more.
func nameFilter(name string, isRegexp bool) (func(string) bool, error) {
	if name == "" {
		return nil, nil
	}
	if !isRegexp {
		name = strings.ToLower(name)
		return func(s string) bool { return strings.Contains(strings.ToLower(s), name) }, nil
	}
	re, err := regexp.Compile("(?i)" + name)
	if err != nil {
		return nil, errPage
	}
	return re.MatchString, nil
}
