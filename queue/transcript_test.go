package queue_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata with what the queue does")

// TestTranscripts plays testdata/*.txt: commands, each followed by what it leads to, which is indented. The commands
// are those of player.command; 'queue' makes a new queue.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playTranscript(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("the transcript differs; run with -update and look at the difference. Got:\n%s", got)
			}
		})
	}
}

// playTranscript returns the transcript with the results that the queue gives.
func playTranscript(t *testing.T, text string) string {
	var out strings.Builder
	p := &player{t: t}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, indent) {
			continue // an old result
		}
		out.WriteString(line)
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			for result := range strings.Lines(p.command(strings.Fields(line))) {
				out.WriteString(indent + result)
			}
		}
	}
	return out.String()
}

const indent = "    "

// player keeps the queue of a transcript and its clients by name.
type player struct {
	t       *testing.T
	queue   *queue.Queue
	clients map[string]*client
	shared  deliveries
	fx      queue.Effects
	now     int64 // milliseconds
}

// command returns what it led to: the answer, then deliveries and effects.
func (p *player) command(words []string) string {
	command, args := words[0], words[1:]
	result := ""
	switch command {
	case "queue":
		p.newQueue(args)
	case "subscribe", "consume":
		result = p.subscribe(args)
		if command == "consume" && result == "" {
			p.resume(args[:1])
		}
	case "resume":
		p.resume(args)
	case "credit":
		p.clients[args[0]].credit = p.number(args[1])
		p.resume(args[:1])
	case "at":
		p.now = int64(p.number(args[0]))
	case "tick":
		p.queue.Tick(p.now, &p.fx)
	case "used":
		p.queue.Used(p.now, &p.fx)
	case "cancel":
		p.queue.Cancel(p.now, p.clients[args[0]].sub, &p.fx)
	case "publish":
		p.publish(args)
	case "ack", "reject", "requeue", "fail", "return":
		result = p.settle(command, args)
	case "get":
		result = p.get(args)
	case "purge":
		result = fmt.Sprintf("purged %d\n", p.queue.Purge(&p.fx))
	case "delete":
		result = p.delete(args)
	case "stats":
		result = figures(p.queue.Stats()) + "\n"
	default:
		p.t.Fatalf("unknown command %q", command)
	}
	if err := p.queue.Check(); err != nil {
		p.t.Errorf("after %v: %v", words, err)
	}
	return result + p.effects()
}

func (p *player) newQueue(args []string) {
	c := queue.Config{Name: "q", VHost: "/", Durable: true, AutoDelete: slices.Contains(args, "auto-delete")}
	if slices.Contains(args, "quorum") {
		c.Arguments = amqp.Table{{Name: "x-queue-type", Value: "quorum"}}
	}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			continue
		}
		var v any = strings.ReplaceAll(value, "_", " ")
		if n, err := strconv.Atoi(value); err == nil {
			v = int64(n)
		} else if value == "true" {
			v = true
		}
		c.Arguments = append(c.Arguments, amqp.Field{Name: "x-" + name, Value: v})
	}
	p.now = 0
	p.queue = queue.New(c, newMemoryLog)
	p.clients = map[string]*client{}
}

// publish takes bodies, each of which may be followed by /ttl=N, /priority=N, /key=ROUTINGKEY and /header=VALUE, which is
// that of customer.
func (p *player) publish(args []string) {
	var msgs []queue.Message
	var idx []int32
	for i, arg := range args {
		parts := strings.Split(arg, "/")
		m := message(parts[0])
		for _, part := range parts[1:] {
			switch name, value, _ := strings.Cut(part, "="); name {
			case "ttl":
				m.HasTTL, m.TTL = true, int64(p.number(value))
			case "priority":
				m.Priority = uint8(p.number(value))
			case "key":
				m.RoutingKey = []byte(value)
			case "header":
				m.Properties = withHeaders(amqp.Table{{Name: "customer", Value: value}})
			default:
				p.t.Fatalf("unknown option %q", part)
			}
		}
		msgs, idx = append(msgs, m), append(idx, int32(i))
	}
	p.queue.Publish(p.now, msgs, idx, &p.fx)
}

// subscribe takes a name, then: no-ack, exclusive, credit=N, priority=N, rate-limit=L.
func (p *player) subscribe(args []string) string {
	c := &client{name: args[0], credit: -1, shared: &p.shared}
	o := queue.SubscribeOptions{Tag: args[0]}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "no-ack":
			c.noAck, o.NoAck = true, true
		case "exclusive":
			o.Exclusive = true
		case "credit":
			c.credit = p.number(value)
		case "priority":
			o.Arguments = append(o.Arguments, amqp.Field{Name: "x-priority", Value: int32(p.number(value))})
		case "rate-limit":
			o.Arguments = append(o.Arguments, amqp.Field{Name: "x-rate-limit", Value: strings.ReplaceAll(value, "_", " ")})
		default:
			p.t.Fatalf("unknown option %q", arg)
		}
	}
	sub, err := p.queue.Subscribe(c, o, &p.fx)
	if err != nil {
		return err.Error() + "\n"
	}
	c.sub = sub
	p.clients[args[0]] = c
	return ""
}

func (p *player) resume(args []string) {
	c := p.clients[args[0]]
	c.parked = false
	p.queue.Resume(p.now, c.sub, &p.fx)
}

// settle takes bodies, whoever has them. To fail is to be requeued by basic.reject.
func (p *player) settle(command string, bodies []string) string {
	var s queue.Settlement
	list := map[string]*[]uint64{"ack": &s.Acked, "reject": &s.Rejected, "requeue": &s.Requeued, "fail": &s.Requeued, "return": &s.Returned}[command]
	for _, body := range bodies {
		for _, c := range p.clients {
			if seq, ok := c.settle(body); ok {
				if command == "fail" {
					s.Failed = append(s.Failed, len(*list))
				}
				*list = append(*list, seq)
				if c.resumes() {
					s.Resume = append(s.Resume, c.sub)
				}
			}
		}
	}
	p.queue.Settle(p.now, &s, &p.fx)
	if len(*list) != len(bodies) {
		return "not all of these are unacked\n"
	}
	return ""
}

func (p *player) get(args []string) string {
	c := &client{name: "get", credit: -1, shared: &p.shared, noAck: slices.Contains(args, "no-ack")}
	if err := p.queue.CheckGet(); err != nil {
		return err.Error() + "\n"
	}
	if ok, _ := p.queue.Get(c, c.noAck, p.now, &p.fx); !ok {
		return "empty\n"
	}
	if !c.noAck {
		p.clients[fmt.Sprint("get", len(p.clients))] = c
	}
	return fmt.Sprintf("%d left ready\n", p.shared.all[len(p.shared.all)-1].ready)
}

func (p *player) delete(args []string) string {
	ready, err := p.queue.Delete(slices.Contains(args, "if-unused"), slices.Contains(args, "if-empty"), &p.fx)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("deleted with %d ready\n", ready)
}

// effects tells the deliveries and effects since it was last called.
func (p *player) effects() string {
	var lines []string
	for _, d := range p.shared.all {
		lines = append(lines, d.String())
	}
	p.shared.all = nil
	if len(p.fx.Wake) > 0 {
		wake := "wake"
		for _, c := range p.fx.Wake {
			wake += " " + c.(*client).name
		}
		lines = append(lines, wake)
	}
	for _, s := range p.fx.Cancelled {
		lines = append(lines, s.Tag()+" is cancelled")
	}
	for _, d := range p.fx.DeadLetters {
		lines = append(lines, string(d.Message.Body)+" dies: "+d.Reason)
	}
	if len(p.fx.Refused) > 0 {
		lines = append(lines, fmt.Sprint("refused: ", p.fx.Refused))
	}
	if p.fx.WakeAt != 0 {
		lines = append(lines, fmt.Sprint("wake me at ", p.fx.WakeAt))
	}
	if p.fx.Deleted {
		lines = append(lines, "the queue is deleted")
	}
	p.fx.Reset()
	if lines == nil {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// figures prints those of s that are not 0.
func figures(s queue.Stats) string {
	s.MemoryBytes = 0 // the log's business
	dropped := s.Dropped
	s.Dropped = queue.Deaths{}
	var parts []string
	for part := range strings.FieldsSeq(strings.Trim(fmt.Sprintf("%+v", s), "{}")) {
		if !strings.HasSuffix(part, ":0") && strings.Contains(part, ":") && !strings.HasPrefix(part, "Dropped") {
			parts = append(parts, part)
		}
	}
	for i, n := range dropped {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("Dropped(%s):%d", queue.Reasons()[i], n))
		}
	}
	return strings.Join(parts, " ")
}

func (p *player) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
