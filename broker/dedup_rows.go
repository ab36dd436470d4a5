package broker

import (
	"encoding/binary"
	"slices"

	"github.com/warren-mq/warren/dedup"
)

// The entries of a window that outlives the broker are rows in the store's table, under the number of the window and a
// rising one, in the order in which they came. So a row goes when its last entry does.
const kindOfWindowRow = 'W' // number of the window (u64), number of the row (u64)

// dedupRow is a row in the store.
type dedupRow struct {
	number uint64
	end    uint64 // position behind its last entry
}

const (
	entryBytes  = 24  // identity, and the time until which it counts (u64)
	rowEntries  = 256 // at most: such a value is stored in one part, see maxTablePart in storage
	mergedRows  = 16  // at once, at most: its square is rowEntries
	deletedRows = 8   // by one call of save, at most: more than one publish adds
)

// rowLevel are rows that came one after the other and may still become one: each publish adds a row, however small it is,
// and a start takes time for each. Those of the first level become one of the second, those of the second one that
// stays. So what is published one by one is written three times, and few rows are small.
type rowLevel struct {
	rows      int
	positions []uint64 // of their entries; others between them are not in the store, and must not get there
}

func rowKey(window, row uint64) []byte {
	key := make([]byte, 0, 17)
	key = append(key, kindOfWindowRow)
	key = binary.BigEndian.AppendUint64(key, window)
	return binary.BigEndian.AppendUint64(key, row)
}

// saveLocked gives the store what it is to have, and takes from it rows whose entries are all forgotten. It is called
// between Enter and Leave.
func (d *deduplication) saveLocked() {
	if d.id == 0 || d.ended {
		d.unsaved = d.unsaved[:0]
		return
	}
	for rest := d.unsaved; len(rest) > 0; {
		n := min(len(rest), rowEntries)
		d.saveRowLocked(rest[:n])
		rest = rest[n:]
	}
	d.unsaved = d.unsaved[:0]
	d.deleteRowsLocked(deletedRows)
}

func (d *deduplication) saveRowLocked(positions []uint64) {
	value := d.rowLocked(positions)
	if len(value) == 0 {
		return // forgotten within the batch: there are more of them than the window holds
	}
	d.makeRoomLocked(len(positions))
	d.rows = append(d.rows, dedupRow{d.nextRow, positions[len(positions)-1] + 1})
	d.broker.put(rowKey(d.id, d.nextRow), value)
	d.nextRow++
	d.levels[0].rows++
	d.levels[0].positions = append(d.levels[0].positions, positions...)
}

// rowLocked is the value of a row with those of the entries that still count; without any it is empty.
func (d *deduplication) rowLocked(positions []uint64) []byte {
	value := make([]byte, 0, len(positions)*entryBytes)
	for _, position := range positions {
		if id, until, ok := d.window.Entry(position); ok {
			value = append(value, id[:]...)
			value = binary.BigEndian.AppendUint64(value, uint64(until))
		}
	}
	return value
}

// makeRoomLocked makes one of rows that would be too many with one more of n entries.
func (d *deduplication) makeRoomLocked(n int) {
	first, second := &d.levels[0], &d.levels[1]
	if first.hasRoom(n) {
		return
	}
	from := len(d.rows) - first.rows
	if !second.hasRoom(len(first.positions)) {
		d.mergeLocked(from-second.rows, from, second.positions)
		second.clear()
		from = len(d.rows) - first.rows
	}
	second.rows += d.mergeLocked(from, len(d.rows), first.positions)
	second.positions = append(second.positions, first.positions...)
	first.clear()
}

func (l *rowLevel) hasRoom(n int) bool {
	return l.rows < mergedRows && len(l.positions)+n <= rowEntries
}

func (l *rowLevel) clear() { *l = rowLevel{positions: l.positions[:0]} }

// mergeLocked makes one of rows that have entries at those positions, or none if all of them are forgotten, and returns how
// many it has left. It is one commit: any start finds them as they were or as they are.
func (d *deduplication) mergeLocked(from, to int, positions []uint64) (left int) {
	rows := d.rows[from:to]
	if len(rows) < 2 {
		return len(rows)
	}
	if value := d.rowLocked(positions); len(value) > 0 {
		d.broker.put(rowKey(d.id, rows[0].number), value)
		left = 1
	}
	for _, r := range rows[left:] {
		rows[0].end = max(rows[0].end, r.end)
		d.broker.unput(rowKey(d.id, r.number))
	}
	d.rows = slices.Delete(d.rows, from+left, to)
	return left
}

// deleteRowsLocked deletes rows that hold nothing any more, and reports whether none is left.
func (d *deduplication) deleteRowsLocked(limit int) (done bool) {
	n := 0
	for n < len(d.rows) && n < limit && d.rows[n].end <= d.window.First() {
		d.broker.unput(rowKey(d.id, d.rows[n].number))
		n++
	}
	if d.rows = d.rows[n:]; len(d.rows) == 0 {
		d.rows = nil
	}
	rest := len(d.rows)
	for i := range d.levels {
		l := &d.levels[i]
		if l.rows = min(l.rows, rest); l.rows == 0 {
			l.clear()
		}
		rest -= l.rows
	}
	return n < limit
}

// loadRow takes a row from the store, in the order of numbers.
func (d *deduplication) loadRow(number uint64, value []byte) error {
	if len(value)%entryBytes != 0 {
		return errDefinition
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; len(value) > 0; value = value[entryBytes:] {
		d.window.Restore(dedup.ID(value[:16]), int64(binary.BigEndian.Uint64(value[16:])))
	}
	d.rows = append(d.rows, dedupRow{number, d.window.Next()})
	d.nextRow = number + 1
	return nil
}
