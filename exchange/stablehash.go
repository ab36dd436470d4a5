package exchange

import "github.com/warren-mq/warren/amqp"

// stableHash is what the hash exchanges spread messages by: 64 bits that are the same in every run of the broker and
// on every machine, so that a key stays with its queue over restarts (FNV-1a, then mix). Clients can find keys that
// collide; all they gain is that these go to the same queue.
type stableHash uint64

const emptyHash stableHash = 14695981039346656037

func (h stableHash) bytes(b []byte) stableHash {
	for _, c := range b {
		h = (h ^ stableHash(c)) * 1099511628211
	}
	return h
}

func (h stableHash) byte(c byte) stableHash { return (h ^ stableHash(c)) * 1099511628211 }

// keys takes in all routing keys of a message, those of CC and BCC too, which the hash exchanges hash together
// (RabbitMQ 3.10.8).
func (h stableHash) keys(m *Message) stableHash {
	h = h.bytes(m.RoutingKey)
	for _, key := range m.ExtraKeys {
		h = h.byte(0).bytes(key)
	}
	return h
}

// value takes in the value of a header with its type.
func (h stableHash) value(v amqp.RawValue) stableHash { return h.byte(v.Tag).bytes(v.Data) }

// mix spreads what differs in a few bits over all of them (the finalizer of MurmurHash3).
func (h stableHash) mix() uint64 {
	x := uint64(h)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// hashOfDestination is the same for the same kind and name.
func hashOfDestination(d Destination) stableHash {
	kind := byte('q')
	if d.Exchange != nil {
		kind = 'x'
	}
	return emptyHash.byte(kind).bytes([]byte(d.Name()))
}
