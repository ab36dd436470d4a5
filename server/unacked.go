package server

import "github.com/warren-mq/warren/amqp"

// unacked are the deliveries of a channel that the client has not acknowledged yet, in the order of their tags. Tags
// are handed out in order, so that an acknowledgement of many is a prefix. The outbox's lock guards it.
type unacked struct {
	entries []delivery // from head on; those with a nil consumer are settled already
	head    int
	count   int // entries that are not settled
	ages    ages
}

// delivery is one unacknowledged delivery: which message of which consumer's queue.
type delivery struct {
	tag, seq uint64
	consumer *consumer
}

func (u *unacked) push(tag, seq uint64, k *consumer, now int64) {
	if now >= u.ages.next {
		u.ages.mark(tag, now)
	}
	if n := len(u.entries); n == cap(u.entries) && 2*u.count < n {
		u.compact()
	}
	u.entries = append(u.entries, delivery{tag, seq, k})
	u.count++
}

// compact drops the settled entries, in front and in between: one delivery that is never acknowledged must not keep
// the place of all that come after it.
func (u *unacked) compact() {
	kept := u.entries[:0]
	for _, d := range u.entries[u.head:] {
		if d.consumer != nil {
			kept = append(kept, d)
		}
	}
	clear(u.entries[len(kept):])
	u.entries, u.head = kept, 0
}

// maxKeptUnacked is how many places are kept when nothing is outstanding.
const maxKeptUnacked = 4096

// empty forgets all entries, and their memory if that is much.
func (u *unacked) empty() {
	if u.head = 0; cap(u.entries) > maxKeptUnacked {
		u.entries = nil
	}
	u.entries = u.entries[:0]
	u.ages.empty()
}

// take hands the delivery with this tag to f, or with multiple all up to it (all there are for tag 0), in order, and
// forgets them. A tag that is not outstanding is an error, and nothing is taken; only tag 0 with multiple may find
// nothing (spec 1.8.3.13, 1.8.3.14). It costs what is acknowledged, not what is outstanding.
func (u *unacked) take(tag uint64, multiple bool, f func(delivery)) error {
	if tag == 0 && multiple {
		u.takeAll(f)
		return nil
	}
	at := u.find(tag)
	if at < 0 {
		return amqp.Errorf(amqp.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	if multiple {
		for i := u.head; i <= at; i++ {
			if d := u.entries[i]; d.consumer != nil {
				f(d)
				u.count--
			}
			u.entries[i].consumer = nil
		}
		u.head = at + 1
	} else {
		f(u.entries[at])
		u.entries[at].consumer = nil
		u.count--
	}
	u.trim()
	return nil
}

func (u *unacked) takeAll(f func(delivery)) {
	for _, d := range u.entries[u.head:] {
		if d.consumer != nil {
			f(d)
		}
	}
	clear(u.entries)
	u.count = 0
	u.empty()
}

// trim drops the settled entries in front.
func (u *unacked) trim() {
	for u.head < len(u.entries) && u.entries[u.head].consumer == nil {
		u.head++
	}
	if u.head == len(u.entries) {
		u.empty()
	}
}

// find returns the index of an outstanding tag, or -1.
func (u *unacked) find(tag uint64) int {
	lo, hi := u.head, len(u.entries)
	if lo < hi && u.entries[lo].tag <= tag {
		// Without gaps, which only deliveries that need no acknowledgement leave, the tag tells the place.
		if at := lo + int(min(tag-u.entries[lo].tag, uint64(hi-lo-1))); u.entries[at].tag == tag {
			lo, hi = at, at+1
		}
	}
	for lo < hi {
		mid := (lo + hi) / 2
		switch e := &u.entries[mid]; {
		case e.tag == tag:
			if e.consumer == nil {
				return -1
			}
			return mid
		case e.tag < tag:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}

// restore puts deliveries back that a transaction had taken, in the order of their tags.
func (u *unacked) restore(taken []delivery) {
	if len(taken) == 0 {
		return
	}
	merged := make([]delivery, 0, u.count+len(taken))
	rest := u.entries[u.head:]
	for len(rest) > 0 || len(taken) > 0 {
		switch {
		case len(rest) > 0 && rest[0].consumer == nil:
			rest = rest[1:]
		case len(taken) == 0 || (len(rest) > 0 && rest[0].tag < taken[0].tag):
			merged = append(merged, rest[0])
			rest = rest[1:]
		default:
			merged = append(merged, taken[0])
			taken = taken[1:]
		}
	}
	u.entries, u.head, u.count = merged, 0, len(merged)
}
