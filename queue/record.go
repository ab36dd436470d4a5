package queue

import "encoding/binary"

// A record is a message as the log keeps it. Deliveries are encoded from views into it.
//
//	 0        1        2        3        4        5        6
//	┌────────┬────────┬────────┬────────┬─────────────────┐
//	│ flags  │  len   │  len   │  len   │    len body     │            narrow: most messages
//	│        │exchange│  key   │ props  │      (u16)      │
//	├────────┼────────┼────────┼────────┴────────┬────────┴────────┬─────────────────┐
//	│ flags  │  len   │  len   │    len properties (u32)           │  len body (u32) …   wide: 11 bytes
//	└────────┴────────┴────────┴─────────────────┴─────────────────┴─────────────────┘
//	then: [ expires at, u64, unix ms ] [ priority, u8 ] [ len hidden, u16 │ hidden ] exchange │ routing key │ properties │ body
//
// Integers are big-endian. The fields in brackets are there if their flag is set. Properties are the wire bytes of
// the content header, property flags included, so that what is delivered is what was published, bit for bit.
const (
	flagPersistent = 1 << iota
	flagExpires
	flagPriority
	flagWide // properties longer than 255 bytes or a body longer than 65,535
	flagHidden
	flagRedelivered // whatever its place in the log says
)

const (
	narrowHeader = 6
	wideHeader   = 11
)

// isWide reports whether the lengths of m need the wide header.
func isWide(m *Message) bool { return len(m.Properties) > 0xff || len(m.Body) > 0xffff }

// recordSize returns the bytes that a record of m takes, with its time of expiry unless that is 0.
func recordSize(m *Message, expiresAt int64) int {
	size := narrowHeader
	if isWide(m) {
		size = wideHeader
	}
	if expiresAt != 0 {
		size += 8
	}
	if m.Priority != 0 {
		size++
	}
	if len(m.Hidden) != 0 {
		size += 2 + len(m.Hidden)
	}
	return size + len(m.Exchange) + len(m.RoutingKey) + len(m.Properties) + len(m.Body)
}

// encodeRecord writes m into dst, which has exactly recordSize bytes. Names are at most 255 bytes (they came as
// short strings); bodies and properties are below 4 GiB.
func encodeRecord(dst []byte, m *Message, expiresAt int64) {
	var flags byte
	if m.Persistent {
		flags |= flagPersistent
	}
	if m.Redelivered {
		flags |= flagRedelivered
	}
	dst[1], dst[2] = byte(len(m.Exchange)), byte(len(m.RoutingKey))
	n := narrowHeader
	if isWide(m) {
		flags |= flagWide
		binary.BigEndian.PutUint32(dst[3:], uint32(len(m.Properties)))
		binary.BigEndian.PutUint32(dst[7:], uint32(len(m.Body)))
		n = wideHeader
	} else {
		dst[3] = byte(len(m.Properties))
		binary.BigEndian.PutUint16(dst[4:], uint16(len(m.Body)))
	}
	if expiresAt != 0 {
		flags |= flagExpires
		binary.BigEndian.PutUint64(dst[n:], uint64(expiresAt))
		n += 8
	}
	if m.Priority != 0 {
		flags |= flagPriority
		dst[n] = m.Priority
		n++
	}
	if len(m.Hidden) != 0 {
		flags |= flagHidden
		binary.BigEndian.PutUint16(dst[n:], uint16(len(m.Hidden)))
		n += 2 + copy(dst[n+2:], m.Hidden)
	}
	dst[0] = flags
	n += copy(dst[n:], m.Exchange)
	n += copy(dst[n:], m.RoutingKey)
	n += copy(dst[n:], m.Properties)
	copy(dst[n:], m.Body)
}

// decodeRecord sets m to views into rec and reports whether rec is a whole record, neither longer nor shorter.
func decodeRecord(rec []byte, m *Message) bool {
	if len(rec) < narrowHeader {
		return false
	}
	flags := rec[0]
	exchange, key := int(rec[1]), int(rec[2])
	var properties, body, n int
	if flags&flagWide == 0 {
		properties, body, n = int(rec[3]), int(binary.BigEndian.Uint16(rec[4:])), narrowHeader
	} else {
		if len(rec) < wideHeader {
			return false
		}
		properties, body, n = int(binary.BigEndian.Uint32(rec[3:])), int(binary.BigEndian.Uint32(rec[7:])), wideHeader
	}
	optional := int(flags&flagExpires)/flagExpires*8 + int(flags&flagPriority)/flagPriority
	m.Hidden = nil
	if flags&flagHidden != 0 {
		at := n + optional
		if len(rec) < at+2 {
			return false
		}
		hidden := int(binary.BigEndian.Uint16(rec[at:]))
		if len(rec) < at+2+hidden || hidden == 0 {
			return false
		}
		m.Hidden = rec[at+2 : at+2+hidden : at+2+hidden]
		optional += 2 + hidden
	}
	if len(rec) != n+optional+exchange+key+properties+body {
		return false
	}
	m.Persistent, m.Redelivered = flags&flagPersistent != 0, flags&flagRedelivered != 0
	m.ExpiresAt, m.Priority = 0, 0
	if optional != 0 {
		if flags&flagExpires != 0 {
			m.ExpiresAt = int64(binary.BigEndian.Uint64(rec[n:]))
			n += 8
		}
		if flags&flagPriority != 0 {
			m.Priority = rec[n]
			n++
		}
		if m.Hidden != nil {
			n += 2 + len(m.Hidden)
		}
	}
	m.Exchange, rec = rec[n:n+exchange:n+exchange], rec[n+exchange:]
	m.RoutingKey, rec = rec[:key:key], rec[key:]
	m.Properties, m.Body = rec[:properties:properties], rec[properties:]
	return true
}

// bodySize returns the length of the body of a whole record.
func bodySize(rec []byte) int64 {
	if rec[0]&flagWide == 0 {
		return int64(binary.BigEndian.Uint16(rec[4:]))
	}
	return int64(binary.BigEndian.Uint32(rec[7:]))
}

// expiryOf returns when a whole record expires, 0 for never.
func expiryOf(rec []byte) int64 {
	if !mayExpire(rec) {
		return 0
	}
	if rec[0]&flagWide == 0 {
		return int64(binary.BigEndian.Uint64(rec[narrowHeader:]))
	}
	return int64(binary.BigEndian.Uint64(rec[wideHeader:]))
}

// mayExpire reports whether a whole record has a time of expiry.
func mayExpire(rec []byte) bool { return rec[0]&flagExpires != 0 }
