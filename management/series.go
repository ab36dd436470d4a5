package management

import "time"

// series keeps the counters of all objects of one kind as the last two rounds of the sampler found them. An object that
// a round sees for the first time had nothing counted before. Guarded by the sampler's lock.
type series[K comparable] struct {
	width  int // counters of an object
	traces map[K]*trace
}

// trace is one object. values holds the counters of the last round, then those of the round before.
type trace struct {
	values  []uint64
	changed time.Time // the round that saw the last change
	round   uint64    // the last one that saw the object
}

func newSeries[K comparable](width int) series[K] {
	return series[K]{width: width, traces: make(map[K]*trace)}
}

// record takes the counters of an object in a round. It keeps no reference to counters.
func (s *series[K]) record(key K, counters []uint64, round uint64, now time.Time) {
	t := s.traces[key]
	if t == nil {
		t = &trace{values: make([]uint64, 2*s.width), changed: now}
		s.traces[key] = t
		if round == 1 { // what was counted before anybody looked did not happen just now
			copy(t.values, counters)
		}
	}
	t.round = round
	last, before := t.values[:s.width], t.values[s.width:]
	copy(before, last)
	for i, v := range counters {
		if last[i] != v {
			last[i] = v
			t.changed = now
		}
	}
}

// sweep forgets the objects that a round has not seen.
func (s *series[K]) sweep(round uint64) {
	for key, t := range s.traces {
		if t.round != round {
			delete(s.traces, key)
		}
	}
}

// rates returns the change of each counter between the last two rounds, which were so many seconds apart. An object
// that was not seen yet has none.
func (s *series[K]) rates(key K, seconds float64) rates {
	t := s.traces[key]
	if t == nil || seconds <= 0 {
		return nil
	}
	r := make(rates, s.width)
	for i := range r {
		// The difference wraps round where a figure went down, as a queue's length does.
		r[i] = float64(int64(t.values[i]-t.values[s.width+i])) / seconds
	}
	return r
}

// changed returns the round that saw an object's last change, zero if none has seen the object.
func (s *series[K]) changed(key K) time.Time {
	if t := s.traces[key]; t != nil {
		return t.changed
	}
	return time.Time{}
}

// rates are changes per second, by the index of the counter. Without values all are 0.
type rates []float64

// details is what stands beside a counter x as x_details.
type details struct {
	Rate float64 `json:"rate"`
}

// gauge is the rate of a figure that may go down.
func (r rates) gauge(i int) details {
	if i >= len(r) {
		return details{}
	}
	return details{r[i]}
}

// counter is the rate of a figure that only grows. It went down where a name or number was used again by another
// object, of which nothing is known then.
func (r rates) counter(i int) details { return details{max(0, r.gauge(i).Rate)} }

// sum is the rate of several counters together.
func (r rates) sum(indices ...int) details {
	var all details
	for _, i := range indices {
		all.Rate += r.counter(i).Rate
	}
	return all
}

// plus adds the rates of another object with the same counters.
func (r rates) plus(o rates) rates {
	if r == nil {
		return o
	}
	all := append(rates(nil), r...)
	for i := range min(len(all), len(o)) {
		all[i] += o[i]
	}
	return all
}
