package compat

import (
	"slices"
	"strconv"
	"strings"
)

// header sends a content header: class, weight and size as they are given,
// every other word a property.
func (r *runner) header(s *session, channel uint16, words []string) error {
	properties := map[string]string{}
	number := map[string]uint64{"class": 60}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "class", "weight", "size":
			n, err := strconv.ParseUint(v, 0, 64)
			if err != nil {
				return err
			}
			number[k] = n
		default:
			properties[k] = v
		}
	}
	p, err := encodeProperties(properties)
	if err != nil {
		return err
	}
	payload := headerPayload(uint16(number["class"]), uint16(number["weight"]), number["size"], p)
	s.send(appendFrame(nil, frameHeader, channel, payload))
	return nil
}

// send sends the method frame alone and waits for nothing.
func (r *runner) send(s *session, channel uint16, words []string) error {
	c, err := parseCall(words)
	if err != nil {
		return err
	}
	s.send(appendFrame(nil, frameMethod, channel, c.methodPayload()))
	return nil
}

// call sends a method with its content and, if it has an answer, waits for it
// or for whatever ends the channel, and writes that down. Asynchronous methods
// that come meanwhile are kept for the next settle step.
func (r *runner) call(s *session, channel uint16, words []string) error {
	c, err := parseCall(words)
	if err != nil {
		return err
	}
	s.send(c.appendTo(nil, channel, s.frameMax))
	if c.nowait || len(c.method.replies) == 0 {
		return nil
	}
	answers := func(e *event) bool {
		if e.channel == channel && (slices.Contains(c.method.replies, e.name) || e.name == "channel.close") {
			return true
		}
		return e.channel == 0 && e.name == "connection.close" || e.name == "garbage"
	}
	r.waitFor(func() bool { return s.isEnded() || s.count(answers) > 0 }, answerTimeout)
	got := s.takeIf(answers)
	r.out = append(r.out, r.names.answers(s, got, true)...)
	if len(got) == 0 {
		if s.isEnded() {
			r.reportEnd(s)
		} else {
			r.out = append(r.out, s.name+" < (no answer)")
		}
		return nil
	}
	if c.method.name == "channel.open" {
		delete(s.confirmed, channel)
	}
	return nil
}
