package queue

// returned holds the sequence numbers of ready messages that were delivered once and given back. It is a binary
// min-heap: the oldest is served first, whatever the order in which they came back.
type returned []uint64

func (r *returned) push(seq uint64) {
	h := append(*r, seq)
	*r = h
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent] <= seq {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = seq
}

// pop removes the lowest. The heap gives its memory back when the last one leaves and it had become large.
func (r *returned) pop() uint64 {
	h := *r
	lowest, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if last <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	*r = h
	if len(h) == 0 {
		r.clear()
	}
	return lowest
}

// keepReturned is how many places an empty heap keeps.
const keepReturned = 1024

func (r *returned) clear() {
	if cap(*r) > keepReturned {
		*r = nil
	}
	*r = (*r)[:0]
}
