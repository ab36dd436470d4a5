package broker

import (
	"container/heap"
	"sync"
	"time"
)

// timers wake queues at the times that they asked for: the expiry of the message at their head, say. One goroutine
// serves all queues, and only while one of them waits for a time.
type timers struct {
	broker *Broker

	mu     sync.Mutex
	due    queueHeap   // guarded by mu; a queue stands in it once at the most
	timer  *time.Timer // guarded by mu; fires when the first is due
	awake  bool        // guarded by mu; fire runs, and sets the timer when it ends
	closed bool        // guarded by mu
	firing sync.WaitGroup
}

// appointment is a queue and the time that it wants to be woken at.
type appointment struct {
	queue *Queue
	at    int64 // unix milliseconds
	place int   // in the heap, -1 if not there
}

// set makes the appointment of a queue, or moves it to an earlier time. A later time changes nothing: calls for one
// queue may overtake each other, and a queue that is woken too early asks again.
func (t *timers) set(q *Queue, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	a := &q.appointment
	switch {
	case a.queue == nil || a.place < 0:
		a.queue, a.at = q, at
		heap.Push(&t.due, a)
	case at < a.at:
		a.at = at
		heap.Fix(&t.due, a.place)
	}
	if t.due[0] == a && !t.awake {
		t.armLocked()
	}
}

// drop forgets a queue that is deleted.
func (t *timers) drop(q *Queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := &q.appointment; a.queue != nil && a.place >= 0 {
		heap.Remove(&t.due, a.place)
	}
}

// armLocked sets the timer to the first appointment.
func (t *timers) armLocked() {
	if len(t.due) == 0 {
		return
	}
	wait := time.Duration(t.due[0].at-t.broker.nowMillis()) * time.Millisecond
	if t.timer == nil {
		t.timer = time.AfterFunc(max(wait, 0), t.fire)
		return
	}
	t.timer.Reset(max(wait, 0))
}

// fire wakes all queues that are due. It is run by the timer; close waits for it.
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
		q := heap.Pop(&t.due).(*appointment).queue
		t.mu.Unlock()
		t.broker.Enter()
		q.tick(now, &fx)
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

// queueHeap orders appointments by time.
type queueHeap []*appointment

func (h queueHeap) Len() int           { return len(h) }
func (h queueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h queueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *queueHeap) Push(x any) {
	a := x.(*appointment)
	a.place = len(*h)
	*h = append(*h, a)
}

func (h *queueHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.place = -1
	return a
}
