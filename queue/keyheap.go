package queue

// keyHeap is a binary min-heap of keys by the first message that waits of each. Every key in it has one, and knows its
// place.
type keyHeap []*orderedKey

// first returns the key whose first message is the oldest of all, nil if there is none.
func (h keyHeap) first() *orderedKey {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

func (h *keyHeap) push(key *orderedKey) {
	key.place = len(*h)
	*h = append(*h, key)
	h.up(key.place)
}

func (h *keyHeap) remove(key *orderedKey) {
	s := *h
	i, last := key.place, len(s)-1
	s[i] = s[last]
	s[i].place = i
	s[last] = nil
	*h = s[:last]
	key.place = nowhere
	if i < last {
		h.fix(s[i])
	}
}

// fix puts a key in its place after its first message has become another one.
func (h *keyHeap) fix(key *orderedKey) {
	h.down(key.place)
	h.up(key.place)
}

func (h *keyHeap) up(i int) {
	s := *h
	key := s[i]
	for first := key.first(); i > 0; {
		parent := (i - 1) / 2
		if s[parent].first() <= first {
			break
		}
		s[i] = s[parent]
		s[i].place = i
		i = parent
	}
	s[i] = key
	key.place = i
}

func (h *keyHeap) down(i int) {
	s := *h
	key := s[i]
	for first := key.first(); ; {
		child := 2*i + 1
		if child >= len(s) {
			break
		}
		if child+1 < len(s) && s[child+1].first() < s[child].first() {
			child++
		}
		if first <= s[child].first() {
			break
		}
		s[i] = s[child]
		s[i].place = i
		i = child
	}
	s[i] = key
	key.place = i
}
