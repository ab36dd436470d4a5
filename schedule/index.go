package schedule

// place is where a message is in its bucket's log.
type place struct {
	due int64
	seq uint64
}

// before orders messages by the time that they are due, and by publishing.
func (p place) before(o place) bool { return p.due < o.due || p.due == o.due && p.seq < o.seq }

// index is a binary heap of places, the first at the root.
type index []place

func (x *index) push(p place) {
	h := append(*x, p)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].before(p) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = p
	*x = h
}

// pop removes the root; there must be one.
func (x *index) pop() {
	h := *x
	last := h[len(h)-1]
	h = h[:len(h)-1]
	*x = h
	if len(h) == 0 {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if last.before(h[child]) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
}
