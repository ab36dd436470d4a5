package queue

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

const (
	argDeduplication    = "x-message-deduplication"
	deduplicationHeader = "x-deduplication-header"
)

// present knows which messages a queue with x-message-deduplication holds, ready or unacked, by their header
// x-deduplication-header: another with the same value is dropped, and confirmed (the community plugin
// rabbitmq-message-deduplication). A message is forgotten when it leaves the queue, for whatever reason, and after a
// restart of the broker all are, as with the plugin. It takes about 100 bytes for each.
type present struct {
	seqs map[dedup.ID]uint64
	ids  map[uint64]dedup.ID

	// entering is the identity of the message at hand, if named.
	entering dedup.ID
	named    bool
}

func newPresent(args amqp.Table) *present {
	if v, _ := args.Get(argDeduplication); v != true {
		return nil
	}
	return &present{seqs: make(map[dedup.ID]uint64), ids: make(map[uint64]dedup.ID)}
}

// publishNewLocked is publishLocked without what the queue holds already. Each message is published by itself, since it
// decides about those behind it.
func (q *Queue) publishNewLocked(now int64, msgs []Message, idx []int32, fx *Effects) {
	p := q.mu.present
	for i := range idx {
		m := &msgs[idx[i]]
		var props amqp.Properties
		if p.named = props.Decode(m.Properties) == nil; p.named {
			p.entering, p.named = dedup.Identify(&props, deduplicationHeader)
		}
		if _, held := p.seqs[p.entering]; held && p.named {
			q.countersLocked().Deduplicated++
			if q.Keeps(m) {
				fx.Durable, fx.Earlier = max(fx.Durable, q.durability), true // its confirm says that the first is safe
			}
			continue
		}
		q.publishAllLocked(now, msgs, idx[i:i+1], fx)
	}
	p.named = false
}

// enter notes that the message at hand is in the log.
func (p *present) enter(seq uint64) {
	if p.named {
		p.seqs[p.entering], p.ids[seq] = seq, p.entering
	}
}

// leaveFrom notes that all messages of a lane from its cursor on are gone.
func (p *present) leaveFrom(l *lane) {
	for seq := range p.ids {
		if seq>>seqBits == uint64(l.priority) && seq&(1<<seqBits-1) >= l.cursor {
			p.leave(seq)
		}
	}
}

// leave notes that a message is gone.
func (p *present) leave(seq uint64) {
	if id, ok := p.ids[seq]; ok {
		delete(p.ids, seq)
		delete(p.seqs, id)
	}
}
