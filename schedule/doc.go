// Package schedule keeps messages until they are due: any number of them, for milliseconds or for years.
//
// A [Schedule] is a state machine like a queue. It owns no goroutine, does no I/O, reads no clock (time is an argument,
// unix milliseconds) and knows neither exchanges nor queues; its owner calls it under a lock of its own, and asks again
// at the time that each call returns.
//
// # Where a message is
//
// In the log of a bucket. A bucket is a block of time, from a millisecond to years wide: far away wide blocks will do,
// and a message there costs nothing but its record, which pages to disk with its log. As a block comes near it is split:
// its records are appended to the logs of narrower blocks, in slices. So a message is written again once for every width
// that it passes, three times at most within half a year.
//
//	now │▌▌▌▌▌ 1 s │ 65 s │ 65 s │   70 minutes   │   70 minutes   │            3 days            │ …
//
// Blocks are aligned to their width, so they nest and never cross. Of several that hold a time, the widest takes new
// messages, and is emptied before those inside of it give any: that keeps every log in the order in which the messages
// were published, which is the order among those that are due at the same time.
//
// # What is in memory
//
// Most publishers use one delay, and so fill a bucket in the order in which it will be emptied. The head of a log that is
// in this order, the run, needs no index however long it is. What comes behind the run is indexed when the block is near:
// 16 bytes a message, and a block with too many of them is split further, down to the millisecond, in which all are due
// at once and in the order of the log. So the memory is bounded, whatever is due when.
//
// # After a restart
//
// The logs say by their tags which block they are; nothing else is kept, and no record is read before its time comes.
// INVARIANT: a record is in exactly one log. Taking it out and what is done with it are one commit of the owner's.
package schedule
