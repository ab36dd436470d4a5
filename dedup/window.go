package dedup

// Window is a set of identities that forgets the oldest. The caller locks.
//
// It is a map to positions in a list of all that came, which is cut into pieces so that it neither moves nor stalls
// when it grows; the map grows in small steps, as Go's maps do.
type Window struct {
	span  int64 // milliseconds that an identity is remembered; 0: no limit
	count int   // how many are; 0: no limit

	longest   int64         // the longest time that an identity was to be remembered for, span at least
	positions map[ID]uint64 // of the entry that counts
	pieces    []*piece      // entries from first on, the first piece being number base
	base      uint64
	first     uint64
	next      uint64
}

const pieceLength = 256

type piece [pieceLength]entry

type entry struct {
	id    ID
	until int64 // unix milliseconds; 0: for ever
}

// New makes an empty window that remembers for span milliseconds and as many as count; 0 is no limit.
func New(span int64, count int) *Window {
	return &Window{span: span, count: count, longest: span, positions: make(map[ID]uint64)}
}

// Len is how many identities the window holds; those whose time is over are among them until Trim or Add meets them.
func (w *Window) Len() int { return len(w.positions) }

// First and Next bound the positions of what the window holds: entries below First are forgotten.
func (w *Window) First() uint64 { return w.first }
func (w *Window) Next() uint64  { return w.next }

func (w *Window) at(position uint64) *entry {
	return &w.pieces[position/pieceLength-w.base][position%pieceLength]
}

// Has reports whether id is remembered.
func (w *Window) Has(id ID, now int64) bool {
	position, ok := w.positions[id]
	return ok && w.at(position).lives(now)
}

func (e *entry) lives(now int64) bool { return e.until == 0 || now < e.until }

// addTrims is how many entries whose time is over one addition removes, so that memory follows what comes.
const addTrims = 4

// Add remembers id, unless it is remembered already, and returns where. For how long is said by ttl in milliseconds
// where it is above 0, else by the window.
func (w *Window) Add(id ID, now, ttl int64) (position uint64, fresh bool) {
	if w.Has(id, now) {
		return w.positions[id], false
	}
	if ttl <= 0 {
		ttl = w.span
	}
	var until int64
	if ttl > 0 {
		until = now + ttl
		w.longest = max(w.longest, ttl)
	}
	w.Trim(now, addTrims)
	return w.Restore(id, until), true
}

// Restore appends an entry as it was before: id is not in the window, or its time is over.
func (w *Window) Restore(id ID, until int64) (position uint64) {
	position = w.next
	if number := position / pieceLength; number-w.base == uint64(len(w.pieces)) {
		w.pieces = append(w.pieces, new(piece))
	}
	w.next++
	*w.at(position) = entry{id, until}
	w.positions[id] = position
	for w.count > 0 && len(w.positions) > w.count {
		w.dropFirst()
	}
	return position
}

// Entry returns what stands at a position that Add has returned, if it is still remembered.
func (w *Window) Entry(position uint64) (id ID, until int64, ok bool) {
	if position < w.first || position >= w.next {
		return ID{}, 0, false
	}
	e := w.at(position)
	current, ok := w.positions[e.id]
	return e.id, e.until, ok && current == position
}

// Forget removes what stands at a position, as if it had never come.
func (w *Window) Forget(position uint64) {
	if id, _, ok := w.Entry(position); ok {
		delete(w.positions, id)
	}
}

// Trim removes the oldest entries whose time is over, so many at the most, and reports whether none is left.
func (w *Window) Trim(now int64, limit int) (done bool) {
	for range limit {
		w.clamp(now)
		if w.first == w.next || w.at(w.first).lives(now) && !w.stale(w.first) {
			return true
		}
		w.dropFirst()
	}
	return false
}

// clamp lets the first entry live no longer than one that comes now, unless the count bounds the window: if it does, the clock
// was set back, and all that comes after it would be kept as long.
func (w *Window) clamp(now int64) {
	if w.first < w.next && w.count == 0 && w.longest > 0 {
		e := w.at(w.first)
		e.until = min(e.until, now+w.longest)
	}
}

// stale: the entry was forgotten, or the identity came again.
func (w *Window) stale(position uint64) bool {
	current, ok := w.positions[w.at(position).id]
	return !ok || current != position
}

func (w *Window) dropFirst() {
	if !w.stale(w.first) {
		delete(w.positions, w.at(w.first).id)
	}
	if w.first++; w.first%pieceLength == 0 {
		w.pieces[0] = nil
		w.pieces = w.pieces[1:]
		w.base++
	}
}
