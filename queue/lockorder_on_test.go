//go:build lockorder

package queue

import (
	"strings"
	"sync"
	"testing"
)

// TestLocksAreTakenInTheirOrder, or the build that watches over it says so.
func TestLocksAreTakenInTheirOrder(t *testing.T) {
	var vhost VHostLock
	var window WindowLock
	var delays DelaysLock
	var first, second queueLock
	var outbox OutboxLock
	var all sync.Locker = epochLock{}
	for _, c := range []struct {
		name    string
		locks   []sync.Locker
		problem string
	}{
		{"in order", []sync.Locker{all, &vhost, &window, &first, &outbox}, ""},
		{"delays in order", []sync.Locker{all, &vhost, &delays, &first, &outbox}, ""},
		{"some left out", []sync.Locker{&vhost, &outbox}, ""},
		{"the epoch twice", []sync.Locker{all, all}, "the epoch is locked while the epoch is held"},
		{"the epoch within", []sync.Locker{&first, all}, "the epoch is locked while a queue is held"},
		{"two queues", []sync.Locker{&first, &second}, "a queue is locked while a queue is held"},
		{"a vhost behind a queue", []sync.Locker{all, &first, &vhost}, "a vhost is locked while a queue is held"},
		{"delays beside a window", []sync.Locker{&window, &delays}, "delays is locked while a window is held"},
		{"a queue behind an outbox", []sync.Locker{&outbox, &first}, "a queue is locked while an outbox is held"},
	} {
		if problem := tried(c.locks); !strings.HasSuffix(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%s: %q, want %q", c.name, problem, c.problem)
		}
	}
	if len(held.by[goroutine()]) > 0 {
		t.Errorf("%v are still held", held.by[goroutine()])
	}
}

// tried locks one after the other and returns the panic that this is answered with.
func tried(locks []sync.Locker) (problem string) {
	defer func() {
		if p := recover(); p != nil {
			problem = p.(string)
		}
	}()
	for _, l := range locks {
		l.Lock()
		defer l.Unlock()
	}
	return ""
}

type epochLock struct{}

func (epochLock) Lock()   { EpochEntered() }
func (epochLock) Unlock() { EpochLeft() }
