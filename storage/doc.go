// Package storage keeps messages as bytes: logs of records, cut into chunks.
//
// It knows sequence numbers and bytes, not AMQP: what a record means is its owner's business. A Log belongs to
// one queue (or one priority of a queue) and is called under that queue's lock; it has no lock and no goroutine
// of its own.
//
// The bytes of a record are written once, by the queue, straight into the tail chunk, and deliveries are encoded
// from the same place. There is no object per message: a record is an end offset and one bit, so the garbage
// collector has nothing to walk and a deep queue costs little more than its bytes.
package storage
