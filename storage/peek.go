package storage

// Peek returns a live record if it is in memory. Unlike At it asks for nothing: it is for those who only look.
func (l *Log) Peek(seq uint64) (record []byte, ok bool) {
	c, _ := l.find(seq)
	if c == nil || !c.resident() || c.isGone(int(seq-c.first)) {
		return nil, false
	}
	return c.record(int(seq - c.first)), true
}

// Resident returns how many live records are in memory. It looks at every chunk.
func (l *Log) Resident() int {
	n := 0
	for _, c := range l.sealed.all() {
		if c.resident() {
			n += c.liveCount
		}
	}
	if l.tail != nil {
		n += l.tail.liveCount
	}
	return n
}
