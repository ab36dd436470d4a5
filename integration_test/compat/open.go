package compat

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var protocolHeader = []byte("AMQP\x00\x00\x09\x01")

// Every capability that changes what a broker sends.
const allCapabilities = "{authentication_failure_close=t:true, basic.nack=t:true, connection.blocked=t:true, " +
	"consumer_cancel_notify=t:true, publisher_confirms=t:true}"

func (r *runner) connect(name string) (*session, error) {
	if old := r.sessions[name]; old != nil {
		old.drop()
	}
	s, err := newSession(name, r.broker.Addr, func() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	// Channel 0 and a raw connection know no barrier.
	s.dirty = true
	r.sessions[name] = s
	return s, nil
}

// start connects and sends the protocol header. It returns nil, and the
// transcript says what came, if that was not connection.start.
func (r *runner) start(name string, patience time.Duration) (*session, error) {
	s, err := r.connect(name)
	if err != nil {
		return nil, err
	}
	s.send(protocolHeader)
	if !r.expect(s, "connection.start", patience) {
		return nil, nil
	}
	return s, nil
}

// session returns the named connection, opening it if the script has not.
func (r *runner) session(name string) (*session, error) {
	if s := r.sessions[name]; s != nil {
		return s, nil
	}
	if err := r.open(name, nil, false); err != nil {
		return nil, err
	}
	return r.sessions[name], nil
}

// open goes through the handshake up to open-ok, or to whatever comes instead.
// Options: user, password, vhost, mechanism, response, locale, caps (a table
// or none), properties (a table), channel-max, frame-max, heartbeat.
func (r *runner) open(name string, words []string, show bool) error {
	option := map[string]string{
		"user": "guest", "password": "guest", "vhost": "/", "mechanism": "PLAIN", "locale": "en_US",
		"caps": allCapabilities, "channel-max": "2047", "frame-max": "131072", "heartbeat": "0",
	}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("open: %q is no option", w)
		}
		option[k] = v
	}
	patience := answerTimeout
	if show {
		patience = 2 * time.Second
	}
	s, err := r.start(name, patience)
	if s == nil {
		return err
	}
	properties := option["properties"]
	if properties == "" {
		properties = "{capabilities=F:" + option["caps"] + "}"
		if option["caps"] == "none" {
			properties = "{}"
		}
	}
	response := option["response"]
	if response == "" {
		response = strconv.Quote("\x00" + option["user"] + "\x00" + option["password"])
	}
	err = r.send(s, 0, []string{"connection.start-ok", "client-properties=" + properties,
		"mechanism=" + option["mechanism"], "response=" + response, "locale=" + option["locale"]})
	if err != nil || !r.expect(s, "connection.tune", patience) {
		return err
	}
	err = r.send(s, 0, []string{"connection.tune-ok", "channel-max=" + option["channel-max"],
		"frame-max=" + option["frame-max"], "heartbeat=" + option["heartbeat"]})
	if err != nil {
		return err
	}
	if s.frameMax, err = strconv.Atoi(option["frame-max"]); err != nil {
		return err
	}
	err = r.send(s, 0, []string{"connection.open", "virtual-host=" + option["vhost"]})
	if err != nil || !r.expect(s, "connection.open-ok", patience) {
		return err
	}
	s.dirty = false
	if show {
		r.out = append(r.out, name+" < connection.open-ok")
	}
	return nil
}

// expect waits for a method of the handshake. Anything else is written down;
// so is silence, which is how RabbitMQ answers some failures for three seconds.
func (r *runner) expect(s *session, name string, patience time.Duration) bool {
	answer := func(e *event) bool { return e.channel == 0 }
	r.waitFor(func() bool { return s.isEnded() || s.count(answer) > 0 }, patience)
	got := s.takeIf(answer)
	if len(got) == 1 && got[0].name == name {
		return true
	}
	r.out = append(r.out, r.names.answers(s, got, true)...)
	if len(got) == 0 {
		if s.isEnded() {
			r.reportEnd(s)
		} else {
			r.out = append(r.out, s.name+" < (silence)")
		}
	}
	return false
}

// openChannel opens a channel that the script names for the first time.
func (r *runner) openChannel(s *session, channel uint16) {
	if s.touched[channel] {
		return
	}
	s.send(appendFrame(nil, frameMethod, channel, []byte{0, 20, 0, 10, 0}))
	opened := func(e *event) bool { return e.channel == channel && e.name == "channel.open-ok" }
	r.waitFor(func() bool { return s.isEnded() || s.count(opened) > 0 }, answerTimeout)
	s.takeIf(opened)
}

// cleanUp ends the connections and deletes what the case may have left.
func (r *runner) cleanUp() {
	for _, s := range r.sessions {
		s.drop()
	}
	r.sessions = map[string]*session{}
	if len(r.used) == 0 {
		return
	}
	if err := r.open("cleanup", nil, false); err != nil {
		return
	}
	s := r.sessions["cleanup"]
	defer s.drop()
	channel := uint16(0)
	for name := range r.used {
		for _, m := range []string{"queue.delete", "exchange.delete"} {
			if !s.isUsable(channel) {
				channel++
				r.openChannel(s, channel)
			}
			r.call(s, channel, []string{m, r.names.expand(name)})
		}
	}
}
