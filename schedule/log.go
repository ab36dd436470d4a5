package schedule

// Log keeps the records of one bucket, in order. storage.Log implements it. All calls are made under the owner's lock.
type Log interface {
	// Append reserves size bytes at the end, which the caller fills before it releases its lock. Sequence numbers are
	// dense and never used twice.
	Append(size int, persistent bool) (seq uint64, record []byte)
	// At returns a record, false if it is gone or, being Live, not in memory: then it has been asked for, and the owner
	// is told when it has come. The view is valid until the record is gone or the lock is released.
	At(seq uint64) (record []byte, ok bool)
	// Live reports whether the record is still there.
	Live(seq uint64) bool
	// Gone removes a record.
	Gone(seq uint64)
	// First is the lowest sequence number that may be live; Next the one that the next Append will give.
	First() uint64
	Next() uint64
	// Count is the number of live records.
	Count() int
	// LiveBytes is the size of the live records.
	LiveBytes() int64
	// Keep says that all of the log is wanted soon, in any order, and better stays in memory.
	Keep()
	// Drop removes all records for good.
	Drop()
}
