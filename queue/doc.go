// Package queue orders messages and hands them to consumers.
//
// A [Queue] is a state machine behind one mutex. It owns no goroutine, does no I/O, reads no clock (time is an
// argument, unix milliseconds) and never calls another queue: what has to happen elsewhere is returned to the
// caller as [Effects], to be run when the queue's lock has been released.
//
// # Where a message is
//
// The bytes of a message are written once, into the queue's [Log], and are known by their sequence number:
//
//	First        cursor                     Next
//	  │  u g u R g │  r  r  r  r  r  r  r  r  │        u unacked   g gone   R returned   r ready, never delivered
//
// Everything from the cursor on is ready and was never delivered; everything below it is gone, with a consumer,
// or was given back. What was given back waits in a heap by sequence number and is served before the cursor, so
// that a message returns to its old position (RabbitMQ 3.10.8 behaviour of classic queues). It follows that
// 'redelivered' needs no bit: it is true of what comes from the heap and of nothing else.
//
// In a queue with a retry ladder, what was given back first waits for its time, in another heap: it counts in the queue
// and is neither ready nor unacked. Its time and the number of its returns are noted in the log.
//
// A queue with priorities has such a log for each priority in use; the highest with something ready is served first.
// Quorum queues differ: what was given back is served in the order of its return, or has moved to the end.
//
// In a queue with an ordering key a message may have to wait for the one of its key that a consumer has. The cursor passes
// it then, and it waits below the cursor for its turn, ready and never delivered.
//
// # What ends it
//
// Messages that expire, that are too many or that were given back too often are dropped at the head, and reported as
// [DeadLetter] if the queue has an exchange for them. A queue with something that will expire asks for a [Queue.Tick] at
// that time; only the head counts (RabbitMQ 3.10.8 behaviour), unless exact expiry was asked for: then the queue keeps the
// earliest time of each 64 messages in succession, and looks at these when it comes. What has to be read from disk first
// waits for [Queue.Ready].
//
// # Who gets it
//
// Subscriptions that can take a message stand in a ring per priority level. A message goes to the first of the
// highest level that has one; who took a message goes to the back. A consumer that answers a delivery with 'no'
// has neither credit nor room: its subscription is parked, outside the ring, until it calls Resume.
//
// INVARIANT: while a subscription stands in a ring, no message can be delivered. Without an ordering key that is: none is
// ready, unless the queue's rate limit holds it back until a Tick. With one: what is ready waits for a message of its key
// that is in flight, or the queue has passed as many of these as it may remember (maxPassed). Each method leaves it so: what publishes, gives back or resumes ends with a delivery pass. A subscription that
// its own rate limit holds back is parked, and let in by a Tick.
//
// Any goroutine may call any method. Lock order: queue, then outbox ([Consumer]), then whatever the [Log] locks.
package queue
