package queue

// Log keeps the records of one queue, in order. It is implemented outside this package, so that a queue knows
// neither memory nor disk. All calls are made under the queue's lock.
//
// Sequence numbers are dense and never used twice.
type Log interface {
	// Append reserves size bytes at the end. The caller fills the record before it releases the queue's lock; it
	// may append further records meanwhile. A record that is not persistent need not survive a restart.
	Append(size int, persistent bool) (seq uint64, record []byte)

	// At returns a record, and false if it is gone. The view is valid until the record is gone or the queue's lock
	// is released.
	At(seq uint64) (record []byte, ok bool)

	// Gone removes a record: acked, dropped, expired or purged.
	Gone(seq uint64)

	// First is the lowest sequence number that may be live; Next the one that the next Append will give.
	First() uint64
	Next() uint64

	// Live reports whether the record is still there.
	Live(seq uint64) bool

	// Drop removes all records for good: the queue was deleted.
	Drop()

	// Bytes is what the log takes in memory.
	Bytes() int64
}
