package compat

import (
	"fmt"
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
