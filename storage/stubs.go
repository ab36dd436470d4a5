package storage

// mergeStubs makes one stub of neighbouring ones whose records are all in one stored chunk, from first up to end, and lets
// go of what they knew of gone records. The caller holds the epoch for writing.
func (l *Log) mergeStubs(first, end uint64) {
	var run []int
	for i, c := range l.sealed.after(first) {
		if c.first >= end {
			break
		}
		if !c.resident() && c.stored && !c.pagedOut {
			run = append(run, i)
			continue
		}
		l.mergeRun(run)
		run = run[:0]
	}
	l.mergeRun(run)
	l.sealed.tidy()
}

// mergeRun replaces the stubs with these indexes, which have nothing between them, by one that spans their live records.
func (l *Log) mergeRun(run []int) {
	if len(run) == 0 {
		return
	}
	first, last := l.sealed.entries[run[0]].span, l.sealed.entries[run[len(run)-1]].span
	highest := last.count - 1
	for last.isGone(highest) {
		highest--
	}
	merged := &chunk{first: first.first + uint64(first.lowest()), stored: true}
	merged.count = int(last.first + uint64(highest) + 1 - merged.first)
	merged.gone = make([]uint64, (merged.count+63)/64)
	for i := range merged.gone {
		merged.gone[i] = ^uint64(0)
	}
	for _, i := range run {
		c := l.sealed.entries[i].span
		for k := range c.count {
			if !c.isGone(k) {
				at := c.first + uint64(k) - merged.first
				merged.gone[at>>6] &^= 1 << (at & 63)
			}
		}
		merged.liveCount += c.liveCount
		merged.liveBytes += c.liveBytes
		l.sealed.clear(i)
	}
	l.sealed.fill(run[len(run)-1], merged.first, merged)
}
