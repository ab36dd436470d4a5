package compat

import (
	"maps"
	"slices"
	"time"
)

// settle waits until the broker has nothing more to say and writes down
// everything that has come. The barrier is channel.flow, which RabbitMQ answers
// from the channel's own process, behind everything that was sent before.
func (r *runner) settle(ordered bool) {
	for {
		fresh := r.pending()
		quiet := r.broker.Quiet
		for range 2 {
			if r.barrier() {
				quiet = max(r.broker.Quiet, 150*time.Millisecond)
			}
		}
		r.waitQuiet(quiet)
		if r.pending() == fresh {
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.sessions)) {
		s := r.sessions[name]
		r.out = append(r.out, r.names.answers(s, s.takeIf(func(*event) bool { return true }), ordered)...)
	}
}

// barrier passes every channel that can be passed. It reports whether there
// are connections that cannot, since a script did something irregular there.
func (r *runner) barrier() (dirty bool) {
	for _, s := range r.sessions {
		if s.dirty {
			dirty = true
			continue
		}
		for _, channel := range s.openChannels() {
			flow := func(e *event) bool { return e.channel == channel && e.name == "channel.flow-ok" }
			s.send(appendFrame(nil, frameMethod, channel, []byte{0, 20, 0, 20, 1}))
			r.waitFor(func() bool { return !s.isUsable(channel) || s.count(flow) > 0 }, answerTimeout)
			s.takeIf(flow)
		}
	}
	return dirty
}

func (r *runner) pending() int {
	n := 0
	for _, s := range r.sessions {
		n += s.count(func(*event) bool { return true })
	}
	return n
}

// finish writes down which connections the broker has closed, unless the
// script has asked already.
func (r *runner) finish() {
	for _, name := range slices.Sorted(maps.Keys(r.sessions)) {
		if s := r.sessions[name]; s.isEnded() && !s.reported {
			r.reportEnd(s)
		}
	}
}

func (r *runner) reportEnd(s *session) {
	if !s.reported {
		s.reported = true
		r.out = append(r.out, s.name+" < closed")
	}
}

// waitFor waits until the condition holds, which is asked after every event.
func (r *runner) waitFor(condition func() bool, timeout time.Duration) bool {
	deadline := time.NewTimer(max(timeout, 0))
	defer deadline.Stop()
	for !condition() {
		select {
		case <-r.wake:
		case <-deadline.C:
			return condition()
		}
	}
	return true
}

// waitQuiet returns when nothing has arrived for d.
func (r *runner) waitQuiet(d time.Duration) {
	for {
		timer := time.NewTimer(d)
		select {
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
			return
		}
	}
}
