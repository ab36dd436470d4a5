package crash_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// survey is everything that a broker holds, as a client finds it.
type survey struct {
	queues    map[string][]found // durable ones, in order
	exchanges map[string]bool
	bindings  map[worldBinding]bool
}

type found struct {
	id      messageID
	flagged bool
}

// look reads everything and leaves it as it is, but for the flags. An error that cut knows says that the broker went
// meanwhile; what was seen until then is in seen.
func look(p *process, r *report, seen *sightings) (*survey, error) {
	v := &survey{queues: map[string][]found{}, exchanges: map[string]bool{}, bindings: map[worldBinding]bool{}}
	if err := v.definitions(p, r); err != nil {
		return nil, err
	}
	for queue := range v.queues {
		var err error
		if v.queues[queue], err = drain(p, queue, r, seen); err != nil {
			return nil, fmt.Errorf("look into %s: %w", queue, err)
		}
	}
	return v, nil
}

func (v *survey) definitions(p *process, r *report) error {
	var queues []struct {
		Name               string
		Durable, Exclusive bool
	}
	var exchanges []struct{ Name string }
	var bindings []struct {
		Source, Destination string
		RoutingKey          string `json:"routing_key"`
	}
	for path, into := range map[string]any{"queues": &queues, "exchanges": &exchanges, "bindings": &bindings} {
		if err := ask(p.http, path, into); err != nil {
			return err
		}
	}
	for _, q := range queues {
		if !q.Durable || q.Exclusive {
			r.violation("queue %s is back, which was transient or exclusive", q.Name)
			continue
		}
		v.queues[q.Name] = nil
	}
	for _, x := range exchanges {
		v.exchanges[x.Name] = true
	}
	for _, b := range bindings {
		if b.Source != "" {
			v.bindings[worldBinding{b.Source, b.Destination, b.RoutingKey}] = true
		}
	}
	return nil
}

// ask gets a list from the management API.
func ask(addr, path string, into any) error {
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	u := url.URL{Scheme: "http", User: url.UserPassword("guest", "guest"), Host: addr, Path: "/api/" + path}
	answer, err := c.Get(u.String())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", u.Path, answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// drain gets all messages of a queue without acknowledging them, and gives them back.
func drain(p *process, queue string, r *report, seen *sightings) ([]found, error) {
	c, err := dialClient(p.amqp)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var before, after amqp.QueueDeclareOk
	if err := c.call(&amqp.QueueDeclare{Queue: queue, Passive: true}, &before); err != nil {
		return nil, err
	}
	messages, err := c.getAll(queue, before.MessageCount, r, seen)
	if err != nil {
		return nil, err
	}
	if len(messages) != int(before.MessageCount) {
		r.violation("%s: queue.declare says %d messages, there are %d", queue, before.MessageCount, len(messages))
	}
	// All of it is back in the queue when the channel is closed.
	for _, step := range []struct{ m, answer amqp.Method }{
		{&amqp.ChannelClose{}, &amqp.ChannelCloseOk{}},
		{&amqp.ChannelOpen{}, &amqp.ChannelOpenOk{}},
		{&amqp.QueueDeclare{Queue: queue, Passive: true}, &after},
	} {
		if err := c.call(step.m, step.answer); err != nil {
			return nil, err
		}
	}
	if after.MessageCount != before.MessageCount {
		r.violation("%s: %d messages were got and given back, now there are %d", queue, before.MessageCount, after.MessageCount)
	}
	return messages, nil
}

// getsAtOnce is how many basic.gets are sent before their answers are read.
const getsAtOnce = 200

// getAll gets until the queue says that it is empty.
func (c *client) getAll(queue string, count uint32, r *report, seen *sightings) (messages []found, err error) {
	get := amqp.AppendMethod(nil, 1, &amqp.BasicGet{Queue: queue})
	asked, answered, empty := 0, 0, false
	for {
		for !empty && asked-answered < getsAtOnce && asked <= int(count) {
			if err := c.write(get); err != nil {
				return nil, err
			}
			asked++
		}
		if asked == answered {
			if empty {
				return messages, nil
			}
			count++ // more than it said
			continue
		}
		e, err := c.next()
		if err != nil {
			return nil, err
		}
		answered++
		switch m := e.method.(type) {
		case *amqp.BasicGetEmpty:
			empty = true
		case *amqp.BasicGetOk:
			id, err := e.message()
			if err != nil {
				r.violation("%s: %v", queue, err)
				continue
			}
			if empty {
				r.violation("%s: message %s comes after the queue was empty", queue, id)
			}
			if left := int(count) - answered; int(m.MessageCount) != left {
				r.violation("%s: get-ok says that %d messages are left, queue.declare-ok said %d", queue, m.MessageCount, left)
			}
			before := seen.add(queue, id)
			if before && !m.Redelivered {
				r.violation("%s: message %s was delivered before and is not flagged as redelivered", queue, id)
			}
			r.recovered.Add(1)
			if m.Redelivered {
				r.flagged.Add(1)
				if !before {
					r.flaggedUnseen.Add(1)
				}
			}
			messages = append(messages, found{id, m.Redelivered})
		default:
			return nil, fmt.Errorf("basic.get is answered with %s", describe(e.method))
		}
	}
}

// checkOrder sees that no message is twice in a queue, that none is there that should not be, and that those of each
// publisher are in order.
func (v *survey) checkOrder(r *report) {
	for queue, messages := range v.queues {
		kind := kindOfQueue(queue)
		last, there := map[int]messageID{}, map[messageID]bool{}
		for _, m := range messages {
			switch {
			case there[m.id]:
				r.violation("%s: message %s is there twice", queue, m.id)
			case !m.id.persistent() && !kind.quorum:
				r.violation("%s: message %s is back, which was transient", queue, m.id)
			case kind.priorities && m.id.priority() != last[m.id.source()].priority():
				if m.id.priority() > last[m.id.source()].priority() && last[m.id.source()] != 0 {
					r.violation("%s: message %s stands behind %s, which has a lower priority", queue, m.id, last[m.id.source()])
				}
			case m.id < last[m.id.source()] && !kind.forDead:
				r.violation("%s: message %s stands behind %s", queue, m.id, last[m.id.source()])
			}
			there[m.id], last[m.id.source()] = true, m.id
		}
	}
}

// deadline runs out when something that must happen does not.
func deadline() <-chan time.Time { return time.After(patience) }
