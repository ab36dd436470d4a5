// Package storage keeps messages as bytes: logs of records, and an ordered table for definitions, in a folder.
//
// It knows sequence numbers and bytes, not AMQP: what a record means is its owner's business. A Log belongs to one
// queue (or one priority of a queue) and is called under that queue's lock. NewLog makes one that lives in memory;
// a Store makes logs whose persistent records survive:
//
//	queues ──(tail chunks in memory)── committer ──► journal   a group = one write and one sync, checksummed
//	                                       │ what is durable
//	                                  pager ──► Badger   chunks, what is live of them, the table
//	                                  reader ◄──┘  ahead of whoever drains
//
// The bytes of a record are written once, by the queue, straight into the tail chunk; deliveries are encoded from
// there, and so is the group that makes it durable. There is no object per message: a record is an end offset and
// one bit, so the garbage collector has nothing to walk.
//
// Everything between Store.Enter and Leave is in one group, and Enter returns its commit number; a publish is
// confirmed when Store.Durable has reached it. A record that is gone within its group is never written. Most records
// are gone before the pager looks; those that stay move to Badger in chunks, so memory does not grow with a backlog.
//
// A record may have a note, a count and a time, that its owner changes while it lives. Notes are kept beside the records,
// in blocks: those that have none cost nothing.
//
// After a sync the committer applies the group to the durable side (durableState), by the methods with which recovery
// replays the journal; the pager works from the durable side alone. So nothing reaches Badger before the commit that
// caused it is on disk.
//
// Locks: the epoch (Enter) → the caller's own → commit.Mutex and other leaves. Whoever is inside Enter and Leave waits
// for nothing. The committer and the pager hold the epoch for writing only to swap lists or let go of memory.
//
// docs/formats describes every byte on disk.
package storage
