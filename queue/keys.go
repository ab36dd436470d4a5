package queue

import "slices"

const (
	// maxPassed is how many messages a queue with an ordering key remembers that the cursor has passed because their
	// keys were in flight. When there are so many, nothing further is looked at until one of them goes. Each costs 8
	// bytes, so a queue spends half a mebibyte on them at the most; and after a restart at most so many messages come
	// back flagged as redelivered although nobody had seen them.
	maxPassed = 1 << 16
	// keptKeys is how many keys' memory is kept when they are done with.
	keptKeys = 1024
	// nowhere is the place of a key that is in no heap.
	nowhere = -1
)

// keys is what a queue with an ordering key knows of its keys: of those with a message in flight, and of those with
// messages that wait below the cursor. All others cost nothing. A key is known by a hash of 64 bits: two keys of the
// same hash hold each other up, and lose no order.
//
//	First         cursor          Next
//	  │ A¹ B¹ A² A³ │ B² C¹ C²       A¹ and B¹ are in flight: A² and A³ were passed, B² will be, C¹ is delivered next
//
// The next message is that of the free key which waits longest, and only then one from the cursor on. So what is
// passed is looked at once, however often keys come free.
type keys struct {
	known    keyTable        // by hash
	inFlight keyTable        // by the sequence number of the one message that is in flight
	free     keyHeap         // keys with messages that wait and none in flight
	blocked  keyHeap         // keys with messages that wait for the one in flight
	passed   int             // messages in the passed of all keys
	held     map[uint64]bool // messages at or behind the cursor that wait for their retry since before a restart
	stalled  bool            // the cursor was held since passed was at its limit
	limit    int             // maxPassed, but in tests

	spare []*orderedKey
}

// orderedKey is one key. INVARIANT: it is known while it is in flight or has messages that wait.
type orderedKey struct {
	hash     uint64
	inFlight bool
	// given says that the message back was given back; it comes before those that were passed, being older.
	given  bool
	back   uint64
	passed []uint64 // rising; what is before head has gone
	head   int
	place  int // in free or blocked
}

func newKeys() *keys { return &keys{limit: maxPassed} }

func (key *orderedKey) waits() bool { return key.given || key.head < len(key.passed) }

// first is the sequence number of the first message that waits; there is one.
func (key *orderedKey) first() uint64 {
	if key.given {
		return key.back
	}
	return key.passed[key.head]
}

// get returns the key with a hash, and makes it if it is not known.
func (k *keys) get(hash uint64) *orderedKey {
	if key := k.known.get(hash); key != nil {
		return key
	}
	var key *orderedKey
	if n := len(k.spare); n > 0 {
		key, k.spare = k.spare[n-1], k.spare[:n-1]
	} else {
		key = new(orderedKey)
	}
	key.hash, key.place = hash, nowhere
	k.known.put(hash, key)
	return key
}

// pass notes a message at the cursor whose key is known, so that the cursor can go on.
func (k *keys) pass(key *orderedKey, at uint64) {
	key.passed = append(key.passed, at)
	k.passed++
	k.settle(key)
}

// full says that nothing more may be passed.
func (k *keys) full() bool { return k.passed >= k.limit }

// popFirst takes out the first of the messages of a key that wait.
func (k *keys) popFirst(key *orderedKey) {
	if key.given {
		key.given = false
	} else {
		k.passed--
		if key.head++; key.head == len(key.passed) {
			key.passed, key.head = emptied(key.passed), 0
		} else if key.head >= 64 && key.head >= len(key.passed)/2 {
			key.passed = append(key.passed[:0], key.passed[key.head:]...)
			key.head = 0
		}
	}
	k.settle(key)
}

// fly notes that a message of a key, which is not in flight, was delivered.
func (k *keys) fly(key *orderedKey, at uint64) {
	k.leaveHeap(key)
	key.inFlight = true
	k.inFlight.put(at, key)
	k.settle(key)
}

// land notes that a message is settled for good. It does nothing for those without a key.
func (k *keys) land(at uint64) {
	delete(k.held, at)
	if key := k.landed(at); key != nil {
		k.settle(key)
	}
}

// hold keeps a message that waits and that the cursor has not come to yet from being ready. Its key is in flight as soon
// as it has.
func (k *keys) hold(at uint64) {
	if k.held == nil {
		k.held = make(map[uint64]bool)
	}
	k.held[at] = true
}

// giveBack makes a message that was in flight the first of its key. False means that it has no key.
func (k *keys) giveBack(at uint64) bool {
	if k.held[at] {
		delete(k.held, at)
		return true // the cursor will come to it
	}
	key := k.landed(at)
	if key == nil {
		return false
	}
	key.given, key.back = true, at
	k.settle(key)
	return true
}

func (k *keys) landed(at uint64) *orderedKey {
	key := k.inFlight.remove(at)
	if key != nil {
		k.leaveHeap(key)
		key.inFlight = false
	}
	return key
}

// settle puts a key where it belongs after it has changed: into its heap, or out of mind.
func (k *keys) settle(key *orderedKey) {
	h := k.heap(key)
	switch waits := key.waits(); {
	case waits && key.place == nowhere:
		h.push(key)
	case waits:
		h.fix(key)
	default:
		k.leaveHeap(key)
		if !key.inFlight {
			k.forget(key)
		}
	}
}

func (k *keys) heap(key *orderedKey) *keyHeap {
	if key.inFlight {
		return &k.blocked
	}
	return &k.free
}

func (k *keys) leaveHeap(key *orderedKey) {
	if key.place != nowhere {
		k.heap(key).remove(key)
	}
}

func (k *keys) forget(key *orderedKey) {
	k.known.remove(key.hash)
	if len(k.spare) < keptKeys {
		*key = orderedKey{passed: emptied(key.passed)}
		k.spare = append(k.spare, key)
	}
}

// oldest returns the key whose first message is the oldest that waits below the cursor, in flight or not; nil if none
// does.
func (k *keys) oldest() *orderedKey {
	free, blocked := k.free.first(), k.blocked.first()
	if free == nil || blocked != nil && blocked.first() < free.first() {
		return blocked
	}
	return free
}

// waiting says whether a message below the cursor is one that was passed.
func (k *keys) waiting(hash, at uint64) bool {
	_, _, found := k.find(hash, at)
	return found
}

func (k *keys) find(hash, at uint64) (key *orderedKey, i int, found bool) {
	if key = k.known.get(hash); key == nil {
		return nil, 0, false
	}
	i, found = slices.BinarySearch(key.passed[key.head:], at)
	return key, key.head + i, found
}

// drop takes out a message that waits wherever it stands among those of its key.
func (k *keys) drop(hash, at uint64) {
	key, i, found := k.find(hash, at)
	switch {
	case key == nil:
	case key.waits() && key.first() == at:
		k.popFirst(key)
	case found:
		key.passed = slices.Delete(key.passed, i, i+1)
		k.passed--
		k.settle(key)
	}
}

// clear forgets everything.
func (k *keys) clear() {
	limit := k.limit
	*k = *newKeys()
	k.limit = limit
}

// purge forgets all messages that wait; gone is called for each.
func (k *keys) purge(gone func(at uint64)) {
	for _, h := range []*keyHeap{&k.free, &k.blocked} {
		for key := h.first(); key != nil; key = h.first() {
			gone(key.first())
			k.popFirst(key)
		}
	}
	k.stalled = false
}
