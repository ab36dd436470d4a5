package compat

import (
	"fmt"
	"strconv"
	"time"
)

// closed waits for the end of the connection: promptly, or between two
// durations after the last thing sent. A FIN and a reset count the same.
func (r *runner) closed(s *session, words []string) error {
	low, high := time.Duration(0), promptly
	text := "closed at once"
	if len(words) == 2 {
		var err1, err2 error
		low, err1 = time.ParseDuration(words[0])
		high, err2 = time.ParseDuration(words[1])
		if err1 != nil || err2 != nil {
			return fmt.Errorf("closed FROM TO")
		}
		text = fmt.Sprintf("closed after %s to %s", words[0], words[1])
	}
	// Waiting longer than allowed tells a late end from none.
	r.waitFor(s.isEnded, high+3*time.Second-time.Since(s.lastSend))
	r.out = append(r.out, r.names.answers(s, s.takeIf(func(*event) bool { return true }), false)...)
	s.reported = true
	switch {
	case !s.isEnded():
		text = "still open"
	case s.endAt.Sub(s.lastSend) < low:
		text = fmt.Sprintf("closed too early (before %s)", low)
	case s.endAt.Sub(s.lastSend) > high:
		text = fmt.Sprintf("closed too late (after %s)", high)
	}
	r.out = append(r.out, s.name+" < "+text)
	return nil
}

// await waits for so many events of a name; they are written down by the next
// settle step.
func (r *runner) await(s *session, channel uint16, words []string) error {
	n := 1
	if len(words) > 1 {
		var err error
		if n, err = strconv.Atoi(words[1]); err != nil {
			return err
		}
	}
	if words[0] == "heartbeat" {
		return r.awaitHeartbeats(s, n)
	}
	match := func(e *event) bool { return e.channel == channel && e.name == words[0] }
	if !r.waitFor(func() bool { return s.isEnded() || s.count(match) >= n }, answerTimeout) || s.count(match) < n {
		r.out = append(r.out, fmt.Sprintf("%s < (only %d %s)", s.name, s.count(match), words[0]))
	}
	return nil
}

func (r *runner) awaitHeartbeats(s *session, n int) error {
	beats := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.beats
	}
	before := beats()
	r.waitFor(func() bool { return s.isEnded() || beats() >= before+n }, answerTimeout)
	if beats() < before+n {
		r.out = append(r.out, s.name+" < (too few heartbeats)")
	} else {
		r.out = append(r.out, fmt.Sprintf("%s < %d heartbeats", s.name, n))
	}
	return nil
}

// confirms waits until n publishes in all are confirmed that do not yet stand
// in the transcript.
func (r *runner) confirms(s *session, channel uint16, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	have := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		seen := map[uint64]bool{}
		for _, e := range s.events {
			if e.channel != channel || !e.confirm() {
				continue
			}
			seen[e.tag] = true
			for tag := uint64(1); e.multi && tag < e.tag; tag++ {
				seen[tag] = true
			}
		}
		for tag := range s.confirmed[channel] {
			delete(seen, tag)
		}
		return len(seen)
	}
	if !r.waitFor(func() bool { return s.isEnded() || have() >= n }, answerTimeout) || have() < n {
		r.out = append(r.out, fmt.Sprintf("%s < (only %d confirms)", s.name, have()))
	}
	return nil
}

// beat sends a heartbeat every 0.4 s for so long.
func (r *runner) beat(s *session, words string) error {
	d, err := time.ParseDuration(words)
	if err != nil {
		return err
	}
	for end := time.Now().Add(d); time.Now().Before(end) && !s.isEnded(); {
		s.send([]byte{frameHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd})
		r.waitFor(s.isEnded, 400*time.Millisecond)
	}
	return nil
}
