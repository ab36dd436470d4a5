package compat

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// names turns what differs from run to run into what does not: the token in
// the names of this run, server-generated names, node names.
type names struct {
	token    string // stands behind every name of this run, as NAME-TOKEN
	ours     *regexp.Regexp
	numbered map[string]string // amq.gen-XYZ -> %gen1
	counts   map[string]int
}

func newNames(token string) *names {
	return &names{
		token: token, ours: regexp.MustCompile(`([a-z][a-z0-9]*)-` + token),
		numbered: map[string]string{}, counts: map[string]int{},
	}
}

var (
	variable  = regexp.MustCompile(`\$[a-z][a-z0-9]*`)
	numbered  = regexp.MustCompile(`%(?:gen|ctag|reply)[0-9]+`)
	generated = regexp.MustCompile(`amq\.(?:gen|ctag)-[A-Za-z0-9_-]{22}|amq\.rabbitmq\.reply-to\.[A-Za-z0-9+/=.]+`)
	died      = regexp.MustCompile(`\btime=T:[0-9]{10}\b`) // in x-death
	node      = regexp.MustCompile(`rabbit@[A-Za-z0-9.-]+|compat@localhost`)
	volatile  = regexp.MustCompile(`(cluster_name|copyright|information|platform)=S:("(?:[^"\\]|\\.)*"|[^,}]+)`)
)

// expand writes this run's names into a step.
func (n *names) expand(line string) string {
	line = variable.ReplaceAllStringFunc(line, func(v string) string { return v[1:] + "-" + n.token })
	return numbered.ReplaceAllStringFunc(line, func(v string) string {
		for name, number := range n.numbered {
			if number == v {
				return name
			}
		}
		return v
	})
}

// normal writes an answer in a form that is the same in every run.
func (n *names) normal(text string) string {
	text = n.ours.ReplaceAllString(text, `$$$1`)
	text = generated.ReplaceAllStringFunc(text, func(name string) string {
		if _, ok := n.numbered[name]; !ok {
			kind := strings.TrimPrefix(strings.TrimPrefix(name, "amq."), "rabbitmq.")
			kind, _, _ = strings.Cut(kind, "-")
			n.counts[kind]++
			n.numbered[name] = fmt.Sprintf("%%%s%d", kind, n.counts[kind])
		}
		return n.numbered[name]
	})
	text = node.ReplaceAllString(text, "NODE")
	text = died.ReplaceAllString(text, "time=T:NOW")
	if strings.HasPrefix(text, "connection.start ") {
		text = volatile.ReplaceAllString(text, "$1=S:*")
		text = strings.NewReplacer(`"PLAIN AMQPLAIN"`, `"AMQPLAIN PLAIN"`).Replace(text)
	}
	return text
}

// answers writes the events of one connection, channel by channel. RabbitMQ's
// queues and channels run beside each other, so the order among kinds of
// asynchronous methods on a channel is chance: unless ordered is asked for,
// answers to methods come first, then returns, deliveries, cancels and last
// the confirms, as one line of tags however they were batched.
func (n *names) answers(s *session, events []event, ordered bool) []string {
	acked := s.settleConfirms(events)
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b event) int {
		if a.channel != b.channel || ordered {
			return cmp.Compare(a.channel, b.channel)
		}
		return cmp.Compare(rank(&a), rank(&b))
	})
	var out []string
	for i := range events {
		e := &events[i]
		text := e.text
		if e.confirm() && !ordered {
			if i > 0 && events[i-1].channel == e.channel && events[i-1].name == e.name {
				continue
			}
			text = e.name + " of" + acked[confirmKey{e.channel, e.name}]
		}
		out = append(out, where(s, e)+" < "+n.normal(text))
	}
	return out
}

func where(s *session, e *event) string {
	if e.channel == 0 {
		return s.name
	}
	return fmt.Sprintf("%s.%d", s.name, e.channel)
}

func rank(e *event) int {
	switch e.name {
	case "basic.return":
		return 1
	case "basic.deliver":
		return 2
	case "basic.cancel":
		return 3
	case "basic.ack":
		return 4
	case "basic.nack":
		return 5
	}
	return 0
}

type confirmKey struct {
	channel uint16
	name    string // basic.ack or basic.nack
}

// settleConfirms lists the tags that the confirms among events settle. A
// cumulative one stands for every tag up to its own that none before it named.
func (s *session) settleConfirms(events []event) map[confirmKey]string {
	tags := map[confirmKey][]uint64{}
	for _, e := range events {
		if !e.confirm() {
			continue
		}
		done := s.confirmed[e.channel]
		if done == nil {
			done = map[uint64]bool{}
			s.confirmed[e.channel] = done
		}
		first := e.tag
		if e.multi {
			first = 1
		}
		key := confirmKey{e.channel, e.name}
		for tag := first; tag <= e.tag; tag++ {
			if !done[tag] {
				done[tag] = true
				tags[key] = append(tags[key], tag)
			}
		}
	}
	text := map[confirmKey]string{}
	for key, list := range tags {
		slices.Sort(list)
		for _, tag := range list {
			text[key] += " " + strconv.FormatUint(tag, 10)
		}
	}
	return text
}
