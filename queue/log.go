package queue

// Log keeps the records of one queue, in order. It is implemented outside this package, so that a queue knows
// neither memory nor disk. All calls are made under the queue's lock.
//
// Sequence numbers are dense and never used twice.
type Log interface {
	// Append reserves size bytes at the end. The caller fills the record before it releases the queue's lock; it
	// may append further records meanwhile. A record that is not persistent need not survive a restart.
	Append(size int, persistent bool) (seq uint64, record []byte)

	// Share tells that the body of the record that was appended last, its last size bytes, goes to several logs, so that
	// it need not be written for each. body is where all of them keep its number, 0 at first. The record is persistent.
	Share(seq uint64, body *uint32, size int)

	// At returns a record. It returns false if the record is gone, and also if it is Live but not in memory: then it
	// has been asked for, and the queue's Ready is called when it has come. The view is valid until the record is gone
	// or the queue's lock is released.
	At(seq uint64) (record []byte, ok bool)
	// Size is the size of a live record in bytes; of one that is not in memory, about.
	Size(seq uint64) int
	// Deliver asks whether a record may be handed out now, so that after a crash it would come back flagged as
	// redelivered. If not, the queue's Ready is called when it may.
	Deliver(seq uint64) bool
	// KeepFirm has Deliver answer so for records that are not yet on disk, too.
	KeepFirm()
	// DeliveredUpTo is the mark below which records may have been handed out before the log was opened.
	DeliveredUpTo() uint64

	// Note leaves a note beside a live record, in place of an earlier one: how often it was given back, and the time
	// in unix milliseconds before which it may not be delivered. It lasts as long as the record. Two zeros take it away.
	Note(seq uint64, count, notBefore int64)
	// Noted returns the note of a record, zeros if it has none; EachNote calls visit for all, in order of the records.
	Noted(seq uint64) (count, notBefore int64)
	EachNote(visit func(seq uint64, count, notBefore int64))

	// Gone removes a record: acked, dropped, expired or purged.
	Gone(seq uint64)
	// GoneRange removes those from from up to to, many at a time.
	GoneRange(from, to uint64)

	// First is the lowest sequence number that may be live; Next the one that the next Append will give.
	First() uint64
	Next() uint64

	// Live reports whether the record is still there.
	Live(seq uint64) bool
	// Peek is At for those who only look: a record that is not in memory is not asked for.
	Peek(seq uint64) (record []byte, ok bool)
	// Resident is the number of live records that are in memory.
	Resident() int
	// Count is the number of live records, and LiveBytes their size.
	Count() int
	LiveBytes() int64

	// Drop removes all records for good: the queue was deleted.
	Drop()

	// Bytes is what the log takes in memory.
	Bytes() int64
}
