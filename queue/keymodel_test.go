package queue_test

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// keyedOrder puts what is ready into the order of a queue with an ordering key: the places, in which what a quorum queue
// takes back without a key stands in the order of its return, the first of it at its place.
func (m *model) keyedOrder(list []*modelMessage) (ordered []*modelMessage) {
	var back, others []*modelMessage
	for _, msg := range list {
		if msg.back > 0 {
			back = append(back, msg)
		} else {
			others = append(others, msg)
		}
	}
	slices.SortFunc(back, func(a, b *modelMessage) int { return cmp.Compare(a.back, b.back) })
	slices.SortFunc(others, func(a, b *modelMessage) int { return cmp.Compare(a.place, b.place) })
	for len(back) > 0 {
		if len(others) > 0 && others[0].place < back[0].place {
			ordered, others = append(ordered, others[0]), others[1:]
		} else {
			ordered, back = append(ordered, back[0]), back[1:]
		}
	}
	return append(ordered, others...)
}

// inFlight are the keys of what is with a consumer or waits for its retry.
func (m *model) inFlight() map[string]bool {
	keys := map[string]bool{}
	for _, msg := range m.messages {
		if msg.key != "" && (msg.holder != nil || msg.until != 0) {
			keys[msg.key] = true
		}
	}
	return keys
}

// nextKeyed is the first of what is ready whose key is not in flight. What it passes is remembered, as far as there is room.
func (m *model) nextKeyed(ready []*modelMessage) *modelMessage {
	if len(ready) == 0 {
		return nil
	}
	inFlight := m.inFlight()
	m.stalled = false
	for _, msg := range ready {
		if !inFlight[msg.key] {
			m.cursor = max(m.cursor, msg.place)
			return msg
		}
		if msg.place >= m.cursor && !m.pass(msg) {
			return nil
		}
	}
	m.cursor = m.placed + 1
	return nil
}

// pass lets a message wait for the one of its key that is in flight, unless too many do.
func (m *model) pass(msg *modelMessage) bool {
	m.cursor = msg.place
	if m.stalled = m.passed() >= m.maxPassed; m.stalled {
		return false
	}
	m.cursor++
	return true
}

func (m *model) passed() (n int) {
	for _, msg := range m.ready() {
		if msg.place < m.cursor && !msg.given {
			n++
		}
	}
	return n
}

// unstalled says that the last pass had to stop at a message that there was no room to pass, and now need not.
func (m *model) unstalled() bool {
	return m.stalled && len(m.ready()) > 0 && (m.passed() < m.maxPassed || m.placeAt(m.cursor) == nil)
}

func (m *model) placeAt(place int) *modelMessage {
	i := slices.IndexFunc(m.messages, func(msg *modelMessage) bool { return msg.place == place })
	if i < 0 {
		return nil
	}
	return m.messages[i]
}

// seek moves the cursor to the first of what is ready, if it has not been there.
func (m *model) seek(ready []*modelMessage) {
	if len(ready) > 0 {
		m.cursor = max(m.cursor, ready[0].place)
	}
}

// allPassed says that everything that is ready was passed, and waits for messages in flight.
func (m *model) allPassed() bool {
	inFlight := m.inFlight()
	for _, msg := range m.ready() {
		if msg.place >= m.cursor || !inFlight[msg.key] {
			m.seek([]*modelMessage{msg})
			return false
		}
	}
	m.cursor = m.placed + 1
	return true
}

// inOrderOfExpiry leaves out what lives for ever.
func inOrderOfExpiry(list []*modelMessage) []*modelMessage {
	list = slices.DeleteFunc(list, func(msg *modelMessage) bool { return msg.expires == 0 })
	slices.SortFunc(list, func(a, b *modelMessage) int {
		return cmp.Or(cmp.Compare(a.expires, b.expires), cmp.Compare(b.priority, a.priority), cmp.Compare(a.place, b.place))
	})
	return list
}

// withHeaders are properties with a table of headers and nothing else.
func withHeaders(t amqp.Table) []byte {
	p := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, t)}
	return p.Append(nil)
}
