package dedup

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/warren-mq/warren/amqp"
)

// ID is the identity of a message: the first half of a SHA-256.
type ID [16]byte

// maxName is the longest name that is hashed without a copy on the heap, in bytes.
const maxName = 512

// Identify returns the identity of a message with these properties: by the header of that name, or if that is empty by
// the property message-id. A message without has none. Integers of all widths are alike, so are strings and byte arrays.
func Identify(p *amqp.Properties, header string) (id ID, ok bool) {
	if header == "" {
		if !p.Has(amqp.FlagMessageID) {
			return id, false
		}
		return identity('S', p.MessageID), true
	}
	v, ok := p.Headers.Get(header)
	if !ok || v.Tag == 'V' {
		return id, false
	}
	if n, isInteger := v.Int(); isInteger || v.Tag == 'T' {
		if v.Tag == 'T' {
			return identity('l', v.Data), true
		}
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		return identity('l', b[:]), true
	}
	if v.Tag == 'x' {
		v.Tag = 'S'
	}
	return identity(v.Tag, v.Data), true
}

func identity(tag byte, name []byte) ID {
	var room [maxName]byte
	sum := sha256.Sum256(append(append(room[:0], tag), name...))
	return ID(sum[:16])
}
