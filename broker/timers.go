package broker

import (
	"container/heap"
	"sync"
	"time"
)

// timers wake queues, and exchanges that hold messages back, at the times that they asked for: the expiry of the message
// at a queue's head, say. One goroutine serves all, and only while one of them waits for a time.
type timers struct {
	broker *Broker

	mu     sync.Mutex
	due    sleepers    // guarded by mu; each stands in it once at the most
	timer  *time.Timer // guarded by mu; fires when the first is due
	awake  bool        // guarded by mu; fire runs, and sets the timer when it ends
	closed bool        // guarded by mu
	firing sync.WaitGroup
}

// sleeper is a queue or an exchange's delays.
type sleeper interface {
	// tick is called at the time, between Enter and Leave, without any lock. The timers run fx.
	tick(now int64, fx *Effects)
	// alarm is what the timers keep of it.
	alarm() *appointment
}

// appointment is a sleeper and the time that it wants to be woken at.
type appointment struct {
	of    sleeper
	at    int64 // unix milliseconds
	place int   // in the heap, -1 if not there
}

// set makes the appointment of a sleeper, or moves it to an earlier time. A later time changes nothing: calls for one
// sleeper may overtake each other, and one that is woken too early asks again.
func (t *timers) set(s sleeper, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	a := s.alarm()
	switch {
	case a.of == nil || a.place < 0:
		a.of, a.at = s, at
		heap.Push(&t.due, a)
	case at < a.at:
		a.at = at
		heap.Fix(&t.due, a.place)
	}
	if t.due[0] == a && !t.awake {
		t.armLocked()
	}
}

// drop forgets a sleeper that is deleted.
func (t *timers) drop(s sleeper) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := s.alarm(); a.of != nil && a.place >= 0 {
		heap.Remove(&t.due, a.place)
	}
}

// longestSleep is how long the timer is set for at most, in milliseconds: it does not notice when the clock is set forward.
const longestSleep = 10_000

// armLocked sets the timer to the first appointment.
func (t *timers) armLocked() {
	if len(t.due) == 0 {
		return
	}
	now := t.broker.Now()
	wait := time.UnixMilli(min(t.due[0].at, now.UnixMilli()+longestSleep)).Sub(now)
	if t.timer == nil {
		t.timer = time.AfterFunc(max(wait, 0), t.fire)
		return
	}
	t.timer.Reset(max(wait, 0))
}

// fire wakes all that are due. It is run by the timer; close waits for it.
func (t *timers) fire() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	if t.awake {
		t.mu.Unlock()
		return
	}
	t.awake = true
	t.firing.Add(1)
	defer t.firing.Done()
	var fx Effects
	for len(t.due) > 0 && !t.closed {
		now := t.broker.nowMillis()
		if t.due[0].at > now {
			break
		}
		s := heap.Pop(&t.due).(*appointment).of
		t.mu.Unlock()
		t.broker.Enter()
		s.tick(now, &fx)
		t.broker.Leave()
		fx.Run()
		t.mu.Lock()
	}
	t.awake = false
	if !t.closed {
		t.armLocked()
	}
	t.mu.Unlock()
}

// close ends the timers; nothing is woken after it returns.
func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.firing.Wait()
}

// sleepers orders appointments by time.
type sleepers []*appointment

func (h sleepers) Len() int           { return len(h) }
func (h sleepers) Less(i, j int) bool { return h[i].at < h[j].at }
func (h sleepers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *sleepers) Push(x any) {
	a := x.(*appointment)
	a.place = len(*h)
	*h = append(*h, a)
}

func (h *sleepers) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.place = -1
	return a
}
