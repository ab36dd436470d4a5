package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Keys in Badger; see docs/formats/badger.md. Integers are big-endian, so that order of keys is order of logs and
// sequence numbers. Names from clients are in keys of the table only.
const (
	prefixChunk      = 'c' // log(8) first(8) part(2): records of a chunk
	prefixMeta       = 'm' // log(8) first(8): what is still live of it
	prefixDescriptor = 'l' // log(8)
	prefixNotes      = 'n' // log(8) first(8): notes beside records
	prefixTable      = 'd' // key of the ordered table
	prefixTablePart  = 'e' // size of key(4) key part(2): long values of the table
	prefixState      = 's' // the checkpoint
	prefixPagedOut   = 'x' // log(8) first(8) part(2): transient records, dropped at start
	prefixFlush      = 'z' // nothing: written and dropped to make Badger flush
)

// formatInDatabase is the version byte that every value but those of the table begins with. Only the metas of chunks that
// were rewritten have the next one: a version that does not know them refuses the folder.
const (
	formatInDatabase = 1
	formatRewritten  = 2
)

func chunkKey(prefix byte, log LogID, first uint64, part int) []byte {
	b := logKey(prefix, log)
	b = binary.BigEndian.AppendUint64(b, first)
	return binary.BigEndian.AppendUint16(b, uint16(part))
}

func metaKey(log LogID, first uint64) []byte {
	return binary.BigEndian.AppendUint64(logKey(prefixMeta, log), first)
}

func noteKey(log LogID, first uint64) []byte {
	return binary.BigEndian.AppendUint64(logKey(prefixNotes, log), first)
}

func logKey(prefix byte, log LogID) []byte {
	b := make([]byte, 0, 19)
	b = append(b, prefix)
	return binary.BigEndian.AppendUint64(b, uint64(log))
}

// checked appends the checksum of b, which stands under key: a value in another place is a wrong one.
func checked(key, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksumAt(key, b))
}

// unchecked removes and verifies it.
func unchecked(key, b []byte) ([]byte, error) { return uncheckedUpTo(formatInDatabase, key, b) }

// uncheckedUpTo takes versions up to newest.
func uncheckedUpTo(newest byte, key, b []byte) ([]byte, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("value of %d bytes is too short", len(b))
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(b)-4:]) != checksumAt(key, body) {
		return nil, fmt.Errorf("wrong checksum")
	}
	if body[0] == 0 || body[0] > newest {
		return nil, &FormatError{Found: uint32(body[0])}
	}
	return body, nil
}

func checksumAt(key, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, b)
}

// checkpoint is the 's' record: where recovery begins.
type checkpoint struct {
	store     uint64
	nextLog   LogID
	commit    Commit // every effect of it and of all before is in Badger
	firstLive uint64 // the first segment to replay, 0 if there never was one
}

// encode: format(1) | store(8) | next log(8) | commit(8) | first live segment(8) | crc32c(4)
func (c *checkpoint) encode(key []byte) []byte {
	be := binary.BigEndian
	b := append(make([]byte, 0, 40), formatInDatabase)
	b = be.AppendUint64(b, c.store)
	b = be.AppendUint64(b, uint64(c.nextLog))
	b = be.AppendUint64(b, uint64(c.commit))
	b = be.AppendUint64(b, c.firstLive)
	return checked(key, b)
}

func (c *checkpoint) decode(key, value []byte) error {
	b, err := unchecked(key, value)
	if err != nil {
		return err
	}
	if len(b) != 33 {
		return fmt.Errorf("checkpoint of %d bytes", len(b))
	}
	be := binary.BigEndian
	c.store = be.Uint64(b[1:])
	c.nextLog = LogID(be.Uint64(b[9:]))
	c.commit = Commit(be.Uint64(b[17:]))
	c.firstLive = be.Uint64(b[25:])
	return nil
}

// descriptor is the 'l' record of a log.
type descriptor struct {
	next, moved, mark uint64
	tag               []byte
}

// encode: format(1) | next(8) | moved(8) | delivered-up-to(8) | tag | crc32c(4)
func (d *descriptor) encode(key []byte) []byte {
	be := binary.BigEndian
	b := append(make([]byte, 0, 32+len(d.tag)), formatInDatabase)
	b = be.AppendUint64(b, d.next)
	b = be.AppendUint64(b, d.moved)
	b = be.AppendUint64(b, d.mark)
	return checked(key, append(b, d.tag...))
}

func (d *descriptor) decode(key, value []byte) error {
	b, err := unchecked(key, value)
	if err != nil {
		return err
	}
	if len(b) < 25 {
		return fmt.Errorf("descriptor of %d bytes", len(b))
	}
	be := binary.BigEndian
	d.next, d.moved, d.mark = be.Uint64(b[1:]), be.Uint64(b[9:]), be.Uint64(b[17:])
	d.tag = append([]byte(nil), b[25:]...)
	return nil
}
