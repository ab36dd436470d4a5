package compat

import (
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// session is one connection of a case. The goroutine that newSession starts
// ends when the connection does.
type session struct {
	name     string
	conn     net.Conn
	frameMax int
	notify   func() // called after every event, without the lock

	mu     sync.Mutex
	events []event // received and not yet written into the transcript
	beats  int     // heartbeats received
	ended  bool    // the broker closed the connection
	endAt  time.Time
	usable map[uint16]bool // channels that answer methods, as far as the broker has said
	done   chan struct{}

	// Below: used by the runner only.
	lastSend time.Time
	dirty    bool            // something irregular was sent: no barriers
	reported bool            // the end stands in the transcript
	touched  map[uint16]bool // named by the script, so no longer opened by itself
	// confirmed holds the publishes whose confirm stands in the transcript.
	confirmed map[uint16]map[uint64]bool
}

func newSession(name, addr string, notify func()) (*session, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	s := &session{
		name: name, conn: c, frameMax: 131072, notify: notify, lastSend: time.Now(),
		done: make(chan struct{}), usable: map[uint16]bool{}, touched: map[uint16]bool{},
		confirmed: map[uint16]map[uint64]bool{},
	}
	go s.read()
	return s, nil
}

func (s *session) read() {
	defer close(s.done)
	d := newDecoder(s.conn)
	for {
		e, ok, err := d.next()
		s.mu.Lock()
		now := time.Now()
		switch {
		case err != nil:
			s.ended, s.endAt = true, now
		case ok && e.name == "heartbeat" && e.channel == 0:
			s.beats++
		case ok:
			s.events = append(s.events, e)
			s.noteLocked(&e)
		}
		s.mu.Unlock()
		s.notify()
		if err != nil {
			return
		}
	}
}

// noteLocked follows which channels are open.
func (s *session) noteLocked(e *event) {
	switch e.name {
	case "channel.open-ok":
		s.usable[e.channel] = true
	case "channel.close", "channel.close-ok":
		delete(s.usable, e.channel)
	case "connection.close", "connection.close-ok":
		clear(s.usable)
	}
}

func (s *session) openChannels() []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return slices.Sorted(maps.Keys(s.usable))
}

func (s *session) isUsable(channel uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && s.usable[channel]
}

// send writes b. A write error is not an answer; what the broker says or that
// it closed shows on the reading side.
func (s *session) send(b []byte) {
	s.lastSend = time.Now()
	s.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
	s.conn.Write(b)
}

func (s *session) drop() {
	s.conn.Close()
	<-s.done
}

// count returns how many pending events on the channel satisfy match.
func (s *session) count(match func(*event) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i := range s.events {
		if match(&s.events[i]) {
			n++
		}
	}
	return n
}

func (s *session) isEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// takeIf removes and returns the pending events that match.
func (s *session) takeIf(match func(*event) bool) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken []event
	rest := s.events[:0]
	for i := range s.events {
		if match(&s.events[i]) {
			taken = append(taken, s.events[i])
		} else {
			rest = append(rest, s.events[i])
		}
	}
	s.events = rest
	return taken
}
