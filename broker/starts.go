package broker

import (
	"encoding/binary"
	"fmt"

	"github.com/warren-mq/warren/schedule"
	"github.com/warren-mq/warren/storage"
)

// kindOfStarts is the key of the number of starts, and begins the tags of the logs of delayed messages.
const kindOfStarts = 't'

// startShift is how many bits numbers have that begin anew with each start, below the number of that.
const startShift = 40

// recoverStarts reads how often the broker was started with this store. Whoever numbers things puts that in front, and
// never uses a number twice.
func (b *Broker) recoverStarts(_, value []byte) error {
	if len(value) != 8 {
		return errDefinition
	}
	b.starts = binary.BigEndian.Uint64(value) + 1
	return nil
}

// putStarts keeps the number of this start. It is called between Enter and Leave, before anything is numbered.
func (b *Broker) putStarts() {
	b.put([]byte{kindOfStarts}, binary.BigEndian.AppendUint64(nil, b.starts))
}

// delayedTag names the log of a block of time of an exchange.
func delayedTag(vhost, name string, block schedule.Block) []byte {
	tag := append(definitionKey(kindOfStarts, vhost, name), block.Level)
	return binary.BigEndian.AppendUint64(tag, uint64(block.From))
}

func cutDelayedTag(tag []byte) (vhost, name string, block schedule.Block, err error) {
	if len(tag) < 10 {
		return "", "", block, errDefinition
	}
	at := len(tag) - 9
	names, err := cutNames(tag[:at], 2)
	block = schedule.Block{Level: tag[at], From: int64(binary.BigEndian.Uint64(tag[at+1:]))}
	if err == nil && !block.Valid() {
		err = errDefinition
	}
	if err != nil {
		return "", "", block, err
	}
	return names[0], names[1], block, nil
}

// recoverDelayed gives exchanges the messages that they held back, and takes their logs out of those that the store
// holds. No message is read. It is called between Enter and Leave.
func (b *Broker) recoverDelayed(logs map[string]*storage.Log) error {
	found := make(map[*delays]struct{})
	for tag, l := range logs {
		if tag == "" || tag[0] != kindOfStarts {
			continue
		}
		vhost, name, block, err := cutDelayedTag([]byte(tag))
		if err != nil {
			return fmt.Errorf("recover delayed messages: tag %q: %w", tag, err)
		}
		vh, ok := b.VHost(vhost)
		if !ok {
			continue
		}
		x, ok := vh.Exchange(name)
		if !ok {
			continue
		}
		d := vh.delaysOf(x)
		if d == nil {
			continue
		}
		l.OnReady(d.recordsReady)
		d.mu.Lock()
		d.schedule.Restore(block, l)
		d.mu.Unlock()
		found[d] = struct{}{}
		delete(logs, tag)
	}
	for d := range found { // and none before it has all of its logs, or its messages would come in another order
		b.timers.set(d, b.nowMillis())
	}
	return nil
}
