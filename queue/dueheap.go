package queue

import "cmp"

// due is something that has to be looked at when its time comes.
type due struct {
	at int64 // unix milliseconds
	id uint64
}

func (d due) compare(o due) int {
	if c := cmp.Compare(d.at, o.at); c != 0 {
		return c
	}
	return cmp.Compare(d.id, o.id)
}

// dueHeap is a binary min-heap of dues by time, then by id. An id stands in it once at the most.
type dueHeap struct {
	entries []due
	place   map[uint64]int32 // in entries, by id
	most    int              // the most entries since place was made
}

// first returns the earliest.
func (h *dueHeap) first() (d due, ok bool) {
	if len(h.entries) == 0 {
		return due{}, false
	}
	return h.entries[0], true
}

// lower sets the time of an id, unless it has an earlier one.
func (h *dueHeap) lower(d due) {
	if i, ok := h.place[d.id]; ok {
		if d.at < h.entries[i].at {
			h.entries[i].at = d.at
			h.up(int(i))
		}
		return
	}
	if h.place == nil {
		h.place = make(map[uint64]int32)
	}
	h.entries = append(h.entries, d)
	h.most = max(h.most, len(h.entries))
	h.up(len(h.entries) - 1)
}

// remove takes an id out, if it is there.
func (h *dueHeap) remove(id uint64) {
	i, ok := h.place[id]
	if !ok {
		return
	}
	delete(h.place, id)
	last := len(h.entries) - 1
	moved := h.entries[last]
	h.entries = h.entries[:last]
	if last == 0 {
		if h.most > keepReturned {
			h.clear() // maps do not shrink
		}
		return
	}
	if int(i) < last {
		h.entries[i] = moved
		h.down(int(i))
		h.up(int(h.place[moved.id]))
	}
}

func (h *dueHeap) clear() { *h = dueHeap{} }

func (h *dueHeap) up(i int) {
	d := h.entries[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h.entries[parent].compare(d) <= 0 {
			break
		}
		h.put(i, h.entries[parent])
		i = parent
	}
	h.put(i, d)
}

func (h *dueHeap) down(i int) {
	d := h.entries[i]
	for {
		child := 2*i + 1
		if child >= len(h.entries) {
			break
		}
		if child+1 < len(h.entries) && h.entries[child+1].compare(h.entries[child]) < 0 {
			child++
		}
		if d.compare(h.entries[child]) <= 0 {
			break
		}
		h.put(i, h.entries[child])
		i = child
	}
	h.put(i, d)
}

func (h *dueHeap) put(i int, d due) {
	h.entries[i] = d
	h.place[d.id] = int32(i)
}
