package crash_test

import "sync"

// sightings are the deliveries that have arrived at any client: whatever is delivered again has to be flagged, also
// after a stop.
type sightings struct {
	mu  sync.Mutex
	all map[fact]bool // messages in queues; guarded by mu
}

func newSightings() *sightings { return &sightings{all: map[fact]bool{}} }

// add notes a delivery and returns whether it was seen before.
func (s *sightings) add(queue string, id messageID) (before bool) {
	f := fact{kind: 'm', place: queue, id: id}
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.all[f]
	s.all[f] = true
	return before
}

// keep forgets all but what is still there.
func (s *sightings) keep(found map[string][]found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[fact]bool{}
	for queue, messages := range found {
		for _, m := range messages {
			if f := (fact{kind: 'm', place: queue, id: m.id}); s.all[f] {
				all[f] = true
			}
		}
	}
	s.all = all
}
