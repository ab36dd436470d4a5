package broker

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Alarms are the resources that run low. While one is raised, publishers are held (protocol: connection.blocked).
// The zero value has none raised.
type Alarms struct {
	raised atomic.Bool // mirrors len(resources) > 0, for the readers' check after each content frame

	mu        sync.Mutex
	resources []string      // guarded by mu; in the order in which they were raised
	cleared   chan struct{} // guarded by mu; closed when the last alarm is cleared, nil while none is raised
}

// Resources that raise an alarm, named as RabbitMQ names them.
const (
	Memory = "memory"
	Disk   = "disk"
)

// Raised says whether any alarm is on.
func (a *Alarms) Raised() bool { return a.raised.Load() }

// Set raises or clears the alarm of a resource. Setting what is set already changes nothing.
func (a *Alarms) Set(resource string, on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := -1
	for i, r := range a.resources {
		if r == resource {
			at = i
		}
	}
	switch {
	case on && at < 0:
		// A new slice, since Resources hands out the old one.
		a.resources = append(a.resources[:len(a.resources):len(a.resources)], resource)
		if a.cleared == nil {
			a.cleared = make(chan struct{})
		}
	case !on && at >= 0:
		rest := make([]string, 0, len(a.resources)-1)
		rest = append(append(rest, a.resources[:at]...), a.resources[at+1:]...)
		a.resources = rest
		if len(rest) == 0 {
			close(a.cleared)
			a.cleared = nil
		}
	}
	a.raised.Store(len(a.resources) > 0)
}

// Resources lists what is low at the moment.
func (a *Alarms) Resources() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.resources
}

// Wait returns a channel that is closed when no alarm is on any more, and the reason that clients are told, as
// RabbitMQ words it. The channel is nil when no alarm is on.
func (a *Alarms) Wait() (cleared <-chan struct{}, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cleared == nil {
		return nil, ""
	}
	words := make([]string, len(a.resources))
	for i, r := range a.resources {
		words[i] = "low on " + r
	}
	return a.cleared, strings.Join(words, " & ")
}
