package compat

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Broker is where cases are run.
type Broker struct {
	Addr string
	// Quiet is how long nothing must arrive before a connection counts as
	// settled, after the barrier has been passed.
	Quiet time.Duration
}

const (
	answerTimeout = 10 * time.Second        // for something that must come
	promptly      = 1500 * time.Millisecond // a close that no pause precedes
)

type runner struct {
	broker   Broker
	names    *names
	sessions map[string]*session
	wake     chan struct{} // holds one token after any event
	used     map[string]bool
	out      []string // answers of the step that is running
}

// Run plays a case and returns its steps with the answers that came. The token
// makes the names of this run unlike those of any other.
func (b Broker) Run(c *Case, token string) ([]Step, error) {
	r := &runner{
		broker: b, names: newNames(token), sessions: map[string]*session{},
		wake: make(chan struct{}, 1), used: map[string]bool{},
	}
	defer r.cleanUp()
	var done []Step
	for i, step := range c.Steps {
		r.out = nil
		if err := r.step(step.Line); err != nil {
			return done, fmt.Errorf("case %q, step %q: %w", c.Name, step.Line, err)
		}
		if i == len(c.Steps)-1 {
			r.settle(false)
			r.finish()
		}
		done = append(done, Step{Line: step.Line, Answers: r.out})
	}
	return done, nil
}

// step runs one line: "settle", "CONNECTION VERB …" or "CONNECTION.CHANNEL VERB …".
func (r *runner) step(line string) error {
	words, err := tokens(line)
	if err != nil {
		return err
	}
	switch words[0] {
	case "settle":
		r.settle(len(words) > 1 && words[1] == "ordered")
		return nil
	case "repeat":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(line, " "+words[1]+" ")
		for i := range n {
			if err := r.step(strings.ReplaceAll(rest, "%i", strconv.Itoa(i+1))); err != nil {
				return err
			}
		}
		return nil
	}
	if words[0] == "each" {
		i := slices.Index(words, "do")
		_, rest, ok := strings.Cut(line, " do ")
		if i < 0 || !ok {
			return fmt.Errorf("each WORD… do STEP")
		}
		for i, w := range words[1:i] {
			step := strings.NewReplacer("%s", w, "%i", strconv.Itoa(i+1)).Replace(rest)
			if err := r.step(step); err != nil {
				return err
			}
		}
		return nil
	}
	for _, v := range variable.FindAllString(line, -1) {
		r.used[v] = true
	}
	if words, err = tokens(r.names.expand(line)); err != nil {
		return err
	}
	if len(words) < 2 {
		return fmt.Errorf("what shall %s do?", words[0])
	}
	name, number, onChannel := strings.Cut(words[0], ".")
	if !onChannel {
		return r.connectionStep(name, words[1], words[2:])
	}
	channel, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return err
	}
	return r.channelStep(name, uint16(channel), words[1], words[2:])
}

func (r *runner) connectionStep(name, verb string, words []string) error {
	switch verb {
	case "open":
		return r.open(name, words, true)
	case "connect":
		_, err := r.connect(name)
		return err
	case "start":
		_, err := r.start(name, 2*time.Second)
		return err
	}
	s, err := r.session(name)
	if err != nil {
		return err
	}
	switch verb {
	case "raw":
		b, err := parseBytes(words)
		s.dirty = true
		s.send(b)
		return err
	case "frame": // type, channel, payload
		b, err := parseBytes(words[2:])
		if err != nil {
			return err
		}
		typ, err1 := strconv.ParseUint(words[0], 10, 8)
		channel, err2 := strconv.ParseUint(words[1], 10, 16)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("frame TYPE CHANNEL PAYLOAD…")
		}
		s.dirty = true
		s.send(appendFrame(nil, byte(typ), uint16(channel), b))
		return nil
	case "close":
		return r.call(s, 0, []string{"connection.close", "200", "bye"})
	case "close-ok":
		s.dirty = true
		return r.send(s, 0, []string{"connection.close-ok"})
	case "drop":
		s.drop()
		s.reported = true
		return nil
	case "closed":
		return r.closed(s, words)
	case "await":
		return r.await(s, 0, words)
	case "beat":
		return r.beat(s, words[0])
	}
	return fmt.Errorf("a connection cannot %q", verb)
}

func (r *runner) channelStep(name string, channel uint16, verb string, words []string) error {
	s, err := r.session(name)
	if err != nil {
		return err
	}
	bare := verb == "bare"
	async := verb == "send"
	if bare || async {
		verb, words = words[0], words[1:]
	}
	if channel != 0 && !bare && verb != "channel.open" && verb != "await" {
		r.openChannel(s, channel)
	}
	s.touched[channel] = true
	switch verb {
	case "await":
		return r.await(s, channel, words)
	case "confirms":
		return r.confirms(s, channel, words[0])
	case "close":
		return r.call(s, channel, []string{"channel.close", "200", "bye"})
	case "close-ok":
		return r.send(s, channel, []string{"channel.close-ok"})
	case "header":
		s.dirty = true
		return r.header(s, channel, words)
	case "body":
		b, err := parseBytes(words)
		s.dirty = true
		s.send(appendFrame(nil, frameBody, channel, b))
		return err
	}
	words = append([]string{verb}, words...)
	if async {
		s.dirty = true
		return r.send(s, channel, words)
	}
	return r.call(s, channel, words)
}

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
