package schedule

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Message is what is kept until it is due. The slices are views.
type Message struct {
	Exchange, RoutingKey []byte // of the publish
	Properties           []byte // as on the wire, property flags included
	Body                 []byte
	// Hidden are the routing keys of the header BCC, as queue.Message has them; at most 65,535 bytes.
	Hidden     []byte
	Persistent bool
	Priority   uint8
	HasTTL     bool
	TTL        int64 // milliseconds from when it is due
	// Origin is who wants to hear when the message turns out to be unroutable; 0: nobody.
	Origin uint64
}

// own copies what the message has views of.
func (m *Message) own() {
	m.Exchange, m.RoutingKey = bytes.Clone(m.Exchange), bytes.Clone(m.RoutingKey)
	m.Properties, m.Body, m.Hidden = bytes.Clone(m.Properties), bytes.Clone(m.Body), bytes.Clone(m.Hidden)
}

// ID names a message of a schedule. It says when the message is due, and so where it has to be looked for.
type ID struct {
	Due    int64  // unix milliseconds
	Serial uint64 // in order of publishing, never used twice in an exchange
}

// String is the id as people see it: both numbers with a dash between them.
func (id ID) String() string { return fmt.Sprintf("%d-%d", id.Due, id.Serial) }

// ParseID reads what String has written.
func ParseID(s string) (id ID, ok bool) {
	due, serial, ok := strings.Cut(s, "-")
	if !ok {
		return ID{}, false
	}
	var err, err2 error
	id.Due, err = strconv.ParseInt(due, 10, 64)
	id.Serial, err2 = strconv.ParseUint(serial, 10, 64)
	return id, err == nil && err2 == nil && id.Due >= 0
}

// Compare orders ids by the time that they are due, and by publishing.
func (id ID) Compare(o ID) int {
	switch {
	case id.Due < o.Due, id.Due == o.Due && id.Serial < o.Serial:
		return -1
	case id == o:
		return 0
	}
	return 1
}

// Entry is a message with its id.
type Entry struct {
	ID
	Message
}

// A record is an entry as the log keeps it (docs/formats/delayed.md):
//
//	 0       1        2        3          11           19
//	┌───────┬────────┬────────┬──────────┬────────────┬────────────────┐
//	│ flags │  len   │  len   │ due, u64 │ serial, u64│ len properties │
//	│       │exchange│  key   │          │            │     (u32)      │
//	└───────┴────────┴────────┴──────────┴────────────┴────────────────┘
//	then: [ ttl, u64 ] [ origin, u64 ] [ priority, u8 ] [ len hidden, u16 │ hidden ] exchange │ key │ properties │ body
//
// Integers are big-endian. The fields in brackets are there if their flag is set. The body is the rest.
const (
	flagPersistent = 1 << iota
	flagTTL
	flagOrigin
	flagPriority
	flagHidden
	knownFlags = flagHidden<<1 - 1
)

const headerBytes = 23

func recordSize(m *Message) int {
	size := headerBytes + len(m.Exchange) + len(m.RoutingKey) + len(m.Properties) + len(m.Body)
	if m.HasTTL {
		size += 8
	}
	if m.Origin != 0 {
		size += 8
	}
	if m.Priority != 0 {
		size++
	}
	if len(m.Hidden) != 0 {
		size += 2 + len(m.Hidden)
	}
	return size
}

// encode writes an entry into dst, which has exactly recordSize bytes.
func encode(dst []byte, id ID, m *Message) {
	be := binary.BigEndian
	var flags byte
	dst[1], dst[2] = byte(len(m.Exchange)), byte(len(m.RoutingKey))
	be.PutUint64(dst[3:], uint64(id.Due))
	be.PutUint64(dst[11:], id.Serial)
	be.PutUint32(dst[19:], uint32(len(m.Properties)))
	n := headerBytes
	if m.Persistent {
		flags |= flagPersistent
	}
	if m.HasTTL {
		flags |= flagTTL
		be.PutUint64(dst[n:], uint64(m.TTL))
		n += 8
	}
	if m.Origin != 0 {
		flags |= flagOrigin
		be.PutUint64(dst[n:], m.Origin)
		n += 8
	}
	if m.Priority != 0 {
		flags |= flagPriority
		dst[n] = m.Priority
		n++
	}
	if len(m.Hidden) != 0 {
		flags |= flagHidden
		be.PutUint16(dst[n:], uint16(len(m.Hidden)))
		n += 2 + copy(dst[n+2:], m.Hidden)
	}
	dst[0] = flags
	n += copy(dst[n:], m.Exchange)
	n += copy(dst[n:], m.RoutingKey)
	n += copy(dst[n:], m.Properties)
	copy(dst[n:], m.Body)
}

// idOf reads the id of a record, and reports whether there is one.
func idOf(rec []byte) (id ID, ok bool) {
	if len(rec) < headerBytes {
		return ID{}, false
	}
	id = ID{int64(binary.BigEndian.Uint64(rec[3:])), binary.BigEndian.Uint64(rec[11:])}
	return id, id.Due >= 0
}

// dueOf returns when a record is due. One that is damaged is due at once, and found to be damaged then.
func dueOf(rec []byte) int64 {
	if id, ok := idOf(rec); ok {
		return id.Due
	}
	return 0
}

// decode sets e to views into rec and reports whether rec is a whole record.
func decode(rec []byte, e *Entry) bool {
	id, ok := idOf(rec)
	if !ok || rec[0]&^knownFlags != 0 {
		return false
	}
	*e = Entry{ID: id}
	flags, exchange, key := rec[0], int(rec[1]), int(rec[2])
	properties := uint64(binary.BigEndian.Uint32(rec[19:]))
	e.Persistent = flags&flagPersistent != 0
	rec = rec[headerBytes:]
	cut := func(n uint64) (field []byte) {
		if ok = ok && uint64(len(rec)) >= n; !ok {
			return make([]byte, 8) // whatever is read from it does not count
		}
		field, rec = rec[:n:n], rec[n:]
		return field
	}
	if flags&flagTTL != 0 {
		e.HasTTL, e.TTL = true, int64(binary.BigEndian.Uint64(cut(8)))
	}
	if flags&flagOrigin != 0 {
		e.Origin = binary.BigEndian.Uint64(cut(8))
		ok = ok && e.Origin != 0
	}
	if flags&flagPriority != 0 {
		e.Priority = cut(1)[0]
		ok = ok && e.Priority != 0
	}
	if flags&flagHidden != 0 {
		e.Hidden = cut(uint64(binary.BigEndian.Uint16(cut(2))))
		ok = ok && len(e.Hidden) > 0
	}
	e.Exchange, e.RoutingKey, e.Properties = cut(uint64(exchange)), cut(uint64(key)), cut(properties)
	e.Body = rec
	return ok && e.TTL >= 0
}
