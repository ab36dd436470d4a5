package auth

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// matchTimeout bounds a match with a backtracking pattern; what takes longer is refused. The clock behind it ticks
// every 100 ms only.
const matchTimeout = 500 * time.Millisecond

// pattern is a permission: a regular expression that is searched anywhere in a name.
//
// RabbitMQ's are PCRE, and look-aheads such as ^(?!amq\.) are in real use. What the standard library understands it
// matches, in linear time; the rest goes to a backtracking engine with limits.
type pattern struct {
	all          bool // ".*", the usual one, needs no matching
	linear       *regexp.Regexp
	backtracking *regexp2.Regexp
}

func compile(expression string) (*pattern, error) {
	switch expression {
	case ".*":
		return &pattern{all: true}, nil
	case "":
		expression = "^$" // RabbitMQ 3.10.8: nothing, not everything
	}
	if re, err := regexp.Compile(expression); err == nil {
		return &pattern{linear: re}, nil
	}
	re, err := regexp2.Compile(expression)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = matchTimeout
	return &pattern{backtracking: re}, nil
}

func (p *pattern) match(name string) bool {
	switch {
	case p.all:
		return true
	case p.linear != nil:
		return p.linear.MatchString(name)
	}
	ok, err := p.backtracking.MatchString(name)
	return ok && err == nil // out of time or stack is a refusal
}
